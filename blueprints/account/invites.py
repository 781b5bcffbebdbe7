"""The page that an invite to a team opens. Looking changes nothing; joining uses the link up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, session, url_for
from flask_login import login_required

from llmrack.teams import invites, teams
from llmrack.teams.roles import ROLES

from ..extensions import context, mailer
from ..web import csrf
from . import web_session

bp = Blueprint("invites", __name__)
csrf.protect(bp)


@bp.get("/invites/<token>")
def show(token: str) -> Any:
    found = invites.peek(context.store, token, datetime.now(UTC))
    if found is not None and not web_session.is_signed_in():
        # A person who signs in, or signs up, on the way comes back here.
        session["invite"] = token
    who = web_session.known_viewer()
    page = render_template(
        "account/invite.html", invite=found, token=token, who=who, roles=ROLES, invite_days=invites.LIVES.days
    )
    return page, 200 if found else 404


@bp.post("/invites/<token>")
@login_required
def accept(token: str) -> Any:
    who, now = web_session.viewer(), datetime.now(UTC)
    if mailer.is_configured and not who.is_verified:
        flash("Confirm your e-mail address first: the link was mailed to you.", "bad")
        return redirect(url_for(".show", token=token), 303)
    try:
        team_id = invites.accept(context.store, token, who.person_id, who.email, now, actor=who.email)
    except teams.Refused as error:
        flash(str(error), "bad")
        return redirect(url_for(".show", token=token), 303)
    session.pop("invite", None)
    if team_id is None:
        return redirect(url_for(".show", token=token), 303)
    teams.look_at(context.store, who.session_id, team_id)
    flash("Welcome to the team. Its pages are shown from here on; you change that under Teams.", "good")
    return redirect(url_for("dashboard.overview"), 303)
