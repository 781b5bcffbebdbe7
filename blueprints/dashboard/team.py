"""The pages of a team: its members, invites, projects and budgets. Roles decide who sees and changes what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound

from llmrack.billing import checkout, closing
from llmrack.clients.provider import ProviderAway
from llmrack.errors import Unavailable
from llmrack.teams import invites, projects, roles, teams
from llmrack.teams.teams import MemberFacts, Refused

from ..account.web_session import note, viewer
from ..extensions import context, mailer, payments
from ..web import csrf, mail
from . import rights
from .team_forms import InviteForm, MemberForm, ProjectForm, TeamForm

bp = Blueprint("team", __name__)
csrf.protect(bp)


@bp.before_request
def only_in_a_team() -> Any:
    if (refusal := rights.require()) is not None:
        return refusal
    return None if viewer().team else redirect(url_for("teams.index"), 303)


def _role() -> str:
    """The role of the person, who is in a team on every page here."""
    return viewer().role or ""


@bp.get("")
def index() -> Any:
    form = InviteForm(formdata=None)
    form.offer(_role())
    return _page(form)


def _page(form: InviteForm, status: int = 200, link: str | None = None) -> Any:
    team_id, now = viewer().account_id, datetime.now(UTC)
    return render_template(
        "team/index.html",
        team=teams.get(context.store, team_id),
        members=teams.members(context.store, team_id, now),
        projects=projects.of_team(context.store, team_id),
        invites=invites.of_team(context.store, team_id, now) if rights.may("manage") else [],
        roles=roles.ROLES,
        form=form,
        link=link,
        me=viewer().person_id,
        has_mail=mailer.is_configured,
        invite_days=invites.LIVES.days,
    ), status


@bp.post("/invites")
def invite() -> Any:
    who, form = viewer(), InviteForm()
    form.offer(_role())
    if not form.validate():
        return _page(form, 400)
    email, now = form.email.data or None, datetime.now(UTC)
    try:
        token = invites.make(
            context.store, who.account_id, form.role.data, email, who.person_id, now, actor=who.email, giver=_role()
        )
    except Refused as error:
        form.role.errors = [str(error)]
        return _page(form, 400)
    path = url_for("invites.show", token=token)
    if email and mailer.is_configured:
        mail.send(
            "invite",
            email,
            path=path,
            team=who.team,
            role=form.role.data,
            by=who.name or who.email,
            days=invites.LIVES.days,
        )
    empty = InviteForm(formdata=None)
    empty.offer(_role())
    # The one answer that holds the link: like a key's secret it is kept as a hash only.
    return _page(empty, link=mail.site_url() + path)


@bp.post("/invites/<row:invite_id>/end")
def take_back(invite_id: int) -> Any:
    who = viewer()
    if not invites.take_back(context.store, who.account_id, invite_id, datetime.now(UTC), actor=who.email):
        raise NotFound
    return _done("The invite does not work any more.")


@bp.get("/members/<row:person_id>")
def member(person_id: int) -> Any:
    found = _member(person_id)
    form = MemberForm(formdata=None, data={"role": found.role, **MemberForm.caps_values(found.caps)})
    form.offer(_role())
    return render_template("team/member.html", member=found, form=form, is_me=person_id == viewer().person_id)


@bp.post("/members/<row:person_id>")
def change_member(person_id: int) -> Any:
    who, found, form, now = viewer(), _member(person_id), MemberForm(), datetime.now(UTC)
    form.offer(_role())
    try:
        if not form.validate():
            raise Refused
        if form.role.data != found.role:
            teams.set_role(
                context.store, who.account_id, person_id, form.role.data, now, actor=who.email, giver=_role()
            )
        if form.caps != found.caps:
            teams.set_caps(context.store, who.account_id, person_id, form.caps, now, actor=who.email)
    except Refused as error:
        if error.args:
            form.role.errors = [str(error)]
        is_me = person_id == who.person_id
        return render_template("team/member.html", member=found, form=form, is_me=is_me), 400
    return _done(f"{found.name or found.email} was changed.")


@bp.post("/members/<row:person_id>/remove")
def remove(person_id: int) -> Any:
    who, found = viewer(), _member(person_id)
    try:
        teams.remove(context.store, who.account_id, person_id, datetime.now(UTC), actor=who.email, giver=_role())
    except Refused as error:
        flash(str(error), "bad")
        return redirect(url_for(".member", person_id=person_id), 303)
    return _done(f"{found.name or found.email} is no member any more, and their keys of this team are refused.")


def _member(person_id: int) -> MemberFacts:
    return teams.member(context.store, viewer().account_id, person_id, datetime.now(UTC))


@bp.get("/leave")
def ask_to_leave() -> Any:
    return render_template("team/leave.html")


@bp.post("/leave")
def leave() -> Any:
    who = viewer()
    try:
        teams.remove(context.store, who.account_id, who.person_id, datetime.now(UTC), actor=who.email)
    except Refused as error:
        flash(str(error), "bad")
        return redirect(url_for(".index"), 303)
    flash(f"You left {who.team}. Your keys of it are refused from now on.", "good")
    return redirect(url_for("teams.index"), 303)


@bp.get("/projects/new")
def new_project() -> Any:
    return _project_page(_offered(ProjectForm(formdata=None)))


@bp.post("/projects/new")
def create_project() -> Any:
    who, form = viewer(), _offered(ProjectForm())
    if not form.validate():
        return _project_page(form, status=400)
    try:
        projects.create(
            context.store,
            who.account_id,
            form.name.data or "",
            datetime.now(UTC),
            actor=who.email,
            models=form.chosen_models,
            caps=form.caps,
        )
    except Refused as error:
        form.name.errors = [str(error)]
        return _project_page(form, status=400)
    return _done(f"The project {form.name.data} was made. Keys for it are generated under API keys.")


@bp.get("/projects/<row:project_id>")
def project(project_id: int) -> Any:
    found = projects.get(context.store, viewer().account_id, project_id)
    return _project_page(_offered(ProjectForm(formdata=None, data=ProjectForm.values(found)), found.models), found)


@bp.post("/projects/<row:project_id>")
def change_project(project_id: int) -> Any:
    who = viewer()
    found = projects.get(context.store, who.account_id, project_id)
    form = _offered(ProjectForm(), found.models)
    if not form.validate():
        return _project_page(form, found, 400)
    try:
        projects.change(
            context.store,
            who.account_id,
            project_id,
            datetime.now(UTC),
            actor=who.email,
            name=form.name.data or "",
            models=form.chosen_models,
            caps=form.caps,
        )
    except Refused as error:
        form.name.errors = [str(error)]
        return _project_page(form, found, 400)
    return _done(f"The project {form.name.data} was changed.")


@bp.post("/projects/<row:project_id>/archive")
def archive_project(project_id: int) -> Any:
    who = viewer()
    projects.archive(context.store, who.account_id, project_id, datetime.now(UTC), actor=who.email)
    return _done("The project is closed: its keys are refused until you open it again.")


@bp.post("/projects/<row:project_id>/restore")
def restore_project(project_id: int) -> Any:
    who = viewer()
    projects.restore(context.store, who.account_id, project_id, datetime.now(UTC), actor=who.email)
    return _done("The project is open again, and its keys work.")


def _offered(form: ProjectForm, chosen: tuple[str, ...] | None = None) -> ProjectForm:
    form.offer(context.catalog, chosen)
    return form


def _project_page(form: ProjectForm, project: projects.ProjectFacts | None = None, status: int = 200) -> Any:
    return render_template("team/project.html", form=form, project=project), status


@bp.get("/settings")
def settings() -> Any:
    team = teams.get(context.store, viewer().account_id)
    form = TeamForm(formdata=None, data=TeamForm.values(team))
    form.offer(context.catalog, team.models)
    return render_template("team/settings.html", form=form)


@bp.post("/settings")
def change() -> Any:
    who, form = viewer(), TeamForm()
    form.offer(context.catalog, teams.get(context.store, who.account_id).models)
    if not form.validate():
        return render_template("team/settings.html", form=form), 400
    if form.requires_second_factor.data and not who.has_second_factor:
        form.requires_second_factor.errors = ["Switch on your own second factor first, or you lock yourself out."]
        return render_template("team/settings.html", form=form), 400
    try:
        teams.change(
            context.store,
            who.account_id,
            datetime.now(UTC),
            actor=who.email,
            name=form.name.data or "",
            models=form.chosen_models,
            requires_second_factor=bool(form.requires_second_factor.data),
        )
    except Refused as error:
        form.name.errors = [str(error)]
        return render_template("team/settings.html", form=form), 400
    return _done("The team was changed.")


@bp.get("/delete")
def ask_to_delete() -> Any:
    return render_template("team/delete.html")


@bp.post("/delete")
def delete() -> Any:
    who, now = viewer(), datetime.now(UTC)
    if request.form.get("name", "").strip() != who.team:
        flash("Type the name of the team to delete it.", "bad")
        return render_template("team/delete.html"), 400
    try:
        checkout.leave(payments, who.account_id, now)
        closing.leave(context.store, who.account_id, now)
    except ProviderAway as error:
        sentence = "The team's subscription could not be ended just now, so nothing was deleted. Try again in a moment."
        raise Unavailable(sentence, retry_after_s=30) from error
    except closing.CreditsLeft:
        flash("The team has credits left. Use them, or ask the operator to return them, and delete it then.", "bad")
        return render_template("team/delete.html"), 400
    note("a team was deleted", who.person_id)
    flash(f"{who.team} is deleted, and its keys are refused.", "good")
    return redirect(url_for("teams.index"), 303)


def _done(sentence: str) -> Any:
    flash(sentence, "good")
    return redirect(url_for(".index"), 303)
