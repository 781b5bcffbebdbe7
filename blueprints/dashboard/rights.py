"""What each page of the dashboard demands of a team's member. A person may do everything in their own account."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from flask import Flask, flash, redirect, request, url_for
from flask_login import login_required
from werkzeug.exceptions import Forbidden

from llmrack.keys.keys import KeyFacts
from llmrack.teams.roles import ROLES

from ..account.web_session import viewer

P = ParamSpec("P")
# The right behind each view. A view without a row is refused, so that a new one cannot be forgotten.
RIGHTS: dict[str, str] = {
    "dashboard.overview": "usage",
    **dict.fromkeys(("keys.index", "keys.create", "keys.edit", "keys.change", "keys.pause", "keys.resume"), "keys"),
    **dict.fromkeys(("keys.ask_to_revoke", "keys.revoke", "keys.ask_to_rotate", "keys.rotate"), "keys"),
    **dict.fromkeys(("keys.review", "keys.revoke_live"), "all_keys"),
    **dict.fromkeys(("usage.index", "usage.log", "usage.receipt", "usage.export_csv", "usage.export_json"), "usage"),
    **dict.fromkeys(("team.index", "team.leave", "team.ask_to_leave"), "team"),
    **dict.fromkeys(("team.invite", "team.take_back", "team.member", "team.change_member", "team.remove"), "manage"),
    **dict.fromkeys(("team.new_project", "team.create_project", "team.project", "team.change_project"), "manage"),
    **dict.fromkeys(("team.archive_project", "team.restore_project"), "manage"),
    **dict.fromkeys(("team.settings", "team.change", "team.ask_to_delete", "team.delete"), "own"),
}
# Every view of these blueprints.
BLUEPRINT_RIGHTS = {"billing": "billing"}


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(may=may)


def may(right: str) -> bool:
    """Whether the person who is signed in has a right in the account whose pages these are."""
    role = viewer().role
    return role is None or right in ROLES[role].rights


def required(view: Callable[P, Any]) -> Callable[P, Any]:
    """`require` before one view."""

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> Any:
        refusal = require()
        return view(*args, **kwargs) if refusal is None else refusal

    return checked


def own(found: list[KeyFacts]) -> list[KeyFacts]:
    """Those of an account's keys that the person may see in a list: every one, or in a team those they made."""
    return [key for key in found if may("all_keys") or key.member_id == viewer().person_id]


@login_required
def require() -> Any:
    """Before every page of an account. Raises Forbidden with the sentence that the person reads."""
    who, endpoint = viewer(), request.endpoint or ""
    if who.needs_second_factor:
        flash(f"{who.team} asks its members for a second factor. Switch it on, then go on.", "bad")
        return redirect(url_for("profile.second_factor"), 303)
    right = BLUEPRINT_RIGHTS.get(request.blueprint or "") or RIGHTS.get(endpoint)
    if who.role is not None and (right is None or not may(right)):
        raise Forbidden(f"Your role in {who.team} is {who.role}, which does not allow this. Ask an owner or an admin.")
    return None
