"""The keys of the account that is signed in. A secret is in the one answer that made it, and nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for

from llmrack.keys import keys
from llmrack.keys.keys import Issued, KeyFacts
from llmrack.teams import projects

from ..account.web_session import actor, note, viewer
from ..extensions import context, mailer
from ..web import csrf
from ..web.mail import site_url
from . import rights
from .first_request import first_request
from .key_form import KeyForm, filled

bp = Blueprint("keys", __name__)
csrf.protect(bp)


bp.before_request(rights.require)


@bp.before_request
def only_own_keys() -> None:
    """A member of a team sees and changes the keys they made. Raises NoSuchKey for another one's."""
    key_id = (request.view_args or {}).get("key_id")
    if key_id is not None and not rights.may("all_keys") and _key(key_id).member_id != viewer().person_id:
        raise keys.NoSuchKey(f"You have no key {key_id}.")


@bp.get("")
def index() -> Any:
    form = _form()
    if not _may_go_live():
        form.mode.data = "test"
    return _list(form)


@bp.post("")
def create() -> Any:
    form, now = _form(), datetime.now(UTC)
    if form.validate() and form.mode.data == "live" and not _may_go_live():
        form.mode.errors = ["Live keys wait until your e-mail address is confirmed. Test keys work right away."]
    if form.errors:
        return _list(form), 400
    try:
        issued = keys.issue(
            context.store,
            viewer().account_id,
            now,
            actor=actor(),
            name=form.name.data or "",
            mode=form.mode.data,
            permissions=form.granted,
            expires_at=form.expires_at(now),
            restrictions=form.restrictions,
            member_id=viewer().person_id if viewer().team else None,
            project_id=form.project_id,
        )
    except keys.TooManyKeys as error:
        form.name.errors = [str(error)]
        return _list(form), 400
    return _list(_empty_form(), issued)


@bp.get("/<row:key_id>")
def edit(key_id: int) -> Any:
    key = _key(key_id)
    return _one(key, _offered(KeyForm(formdata=None, data=filled(key))))


@bp.post("/<row:key_id>")
def change(key_id: int) -> Any:
    key, form = _key(key_id), _form()
    form.mode.data = key.mode
    if not form.validate():
        return _one(key, form), 400
    keys.change(
        context.store,
        viewer().account_id,
        key_id,
        name=form.name.data or "",
        permissions=form.granted,
        expires_at=_expiry(form, key),
        restrictions=form.restrictions,
    )
    flash(f"The key {form.name.data} was changed.", "good")
    return redirect(url_for(".index"), 303)


def _expiry(form: KeyForm, key: KeyFacts) -> datetime | None:
    """A day that was left as it was does not move the hour at which a key ends."""
    if form.expiry.data == "on" and form.expires_on.data == filled(key)["expires_on"]:
        return key.expires_at
    return form.expires_at(datetime.now(UTC))


@bp.post("/<row:key_id>/pause")
def pause(key_id: int) -> Any:
    key = keys.pause(context.store, viewer().account_id, key_id, datetime.now(UTC))
    flash(f"The key {key.name} is paused: requests with it are refused until you resume it.", "good")
    return redirect(url_for(".index"), 303)


@bp.post("/<row:key_id>/resume")
def resume(key_id: int) -> Any:
    key = keys.resume(context.store, viewer().account_id, key_id)
    flash(f"The key {key.name} works again.", "good")
    return redirect(url_for(".index"), 303)


@bp.get("/<row:key_id>/revoke")
def ask_to_revoke(key_id: int) -> Any:
    return render_template("keys/revoke.html", key=_key(key_id))


@bp.post("/<row:key_id>/revoke")
def revoke(key_id: int) -> Any:
    key = keys.revoke(context.store, viewer().account_id, key_id, datetime.now(UTC), actor=actor())
    flash(f"The key {key.name} was revoked. Requests with it are refused from now on.", "good")
    return redirect(url_for(".index"), 303)


@bp.get("/review")
def review() -> Any:
    """After a reset: another person may have made keys, and they outlive the password."""
    now = datetime.now(UTC)
    return render_template("keys/review.html", keys=keys.working(context.store, viewer().account_id, now), now=now)


@bp.post("/review")
def revoke_live() -> Any:
    count = keys.revoke_live(context.store, viewer().account_id, datetime.now(UTC), actor=actor())
    note(f"{count} live keys were revoked", viewer().account_id)
    what = "1 live key was" if count == 1 else f"{count} live keys were"
    flash(f"{what} revoked. Requests with {'it' if count == 1 else 'them'} are refused from now on.", "good")
    return redirect(url_for(".index"), 303)


@bp.get("/<row:key_id>/rotate")
def ask_to_rotate(key_id: int) -> Any:
    return render_template("keys/rotate.html", key=_key(key_id))


@bp.post("/<row:key_id>/rotate")
def rotate(key_id: int) -> Any:
    try:
        issued = keys.rotate(context.store, viewer().account_id, key_id, datetime.now(UTC), actor=actor())
    except keys.TooManyKeys as error:
        flash(str(error), "bad")
        return redirect(url_for(".index"), 303)
    return _list(_empty_form(), issued, replaced=_key(key_id))


def _key(key_id: int) -> KeyFacts:
    return keys.get(context.store, viewer().account_id, key_id)


def _form() -> KeyForm:
    return _offered(KeyForm(request.form if request.method == "POST" else None))


def _empty_form() -> KeyForm:
    return _offered(KeyForm(formdata=None))


def _offered(form: KeyForm) -> KeyForm:
    return form.offer(context.catalog, projects.of_team(context.store, viewer().account_id) if viewer().team else [])


def _may_go_live() -> bool:
    return viewer().is_verified or not mailer.is_configured


def _list(form: KeyForm, issued: Issued | None = None, replaced: KeyFacts | None = None) -> str:
    now = datetime.now(UTC)
    found = keys.of_account(context.store, viewer().account_id, now)
    example = first_request(site_url(), issued, context.catalog) if issued else ""
    return render_template(
        "keys/index.html",
        keys=rights.own(found),
        form=form,
        issued=issued,
        replaced=replaced,
        example=example,
        now=now,
        may_go_live=_may_go_live(),
        base_url=site_url(),
    )


def _one(key: KeyFacts, form: KeyForm) -> str:
    return render_template("keys/edit.html", key=key, form=form, now=datetime.now(UTC))
