"""The teams of a person: making one, and choosing whose pages the dashboard shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import login_required
from werkzeug.exceptions import NotFound

from llmrack.teams import roles, teams

from ..account.web_session import viewer
from ..extensions import context
from ..web import csrf
from .team_forms import NameForm

bp = Blueprint("teams", __name__)
csrf.protect(bp)


@bp.before_request
@login_required
def only_signed_in() -> None:
    """These pages are of the person, whatever team they look at."""


@bp.get("")
def index() -> Any:
    return _page(NameForm(formdata=None))


def _page(form: NameForm, status: int = 200) -> Any:
    found = teams.of_person(context.store, viewer().person_id)
    return render_template("team/teams.html", teams=found, form=form, roles=roles.ROLES), status


@bp.post("")
def create() -> Any:
    who, form, now = viewer(), NameForm(), datetime.now(UTC)
    if not form.validate():
        return _page(form, 400)
    name = (form.name.data or "").strip()
    try:
        team_id = teams.create(context.store, name, who.person_id, now, actor=who.email)
    except teams.Refused as error:
        form.name.errors = [str(error)]
        return _page(form, 400)
    teams.look_at(context.store, who.session_id, team_id)
    flash(f"{name} is made, and you own it. Invite members, or generate its first key.", "good")
    return redirect(url_for("team.index"), 303)


@bp.post("/show")
def show() -> Any:
    """Show another team's pages from here on, or the person's own."""
    who, chosen = viewer(), request.form.get("team", "")
    mine = {str(team.team_id): team.team_id for team in teams.of_person(context.store, who.person_id)}
    if chosen and chosen not in mine:
        raise NotFound
    teams.look_at(context.store, who.session_id, mine.get(chosen))
    return redirect(url_for("dashboard.overview"), 303)
