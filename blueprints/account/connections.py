"""Connecting an identity provider to the account that is signed in, and disconnecting it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, flash, redirect, url_for
from flask_login import login_required
from werkzeug.exceptions import NotFound

from llmrack.accounts import identities
from llmrack.clients.identity_provider import IdentityProviderAway

from ..extensions import context, identity_providers
from ..web import csrf
from . import leaving
from .forms import ProofForm
from .reauthenticate import is_proved_or_fresh
from .web_session import note, viewer

bp = Blueprint("connections", __name__)
csrf.protect(bp)
log = logging.getLogger(__name__)

LAST = "Nothing else signs you in. Set a password first: sign out and choose “Forgot your password?”."


@bp.before_request
@login_required
def only_signed_in() -> None:
    """Every change here is to the account that is signed in."""


@bp.post("/<provider_id>")
def connect(provider_id: str) -> Any:
    """Asks for the password: else a borrowed browser would get a way in that stays."""
    provider = identity_providers.get(provider_id)
    if provider is None:
        raise NotFound
    if refusal := _unproved():
        return refusal
    try:
        return leaving.begin(provider, "", viewer().person_id)
    except IdentityProviderAway as error:
        log.warning("an identity provider is away: %s", error)
        return _back(f"{provider.row.label} cannot be reached just now. Try again in a minute.", "bad")


@bp.post("/<row:identity_id>/disconnect")
def disconnect(identity_id: int) -> Any:
    if refusal := _unproved():
        return refusal
    try:
        if not identities.disconnect(context.store, viewer().person_id, identity_id, datetime.now(UTC)):
            raise NotFound
    except identities.LastWayIn:
        return _back(LAST, "bad")
    note("an identity was disconnected", viewer().person_id)
    return _back("It is disconnected, and signs you in no more.", "good")


def _unproved() -> Any:
    form = ProofForm()
    if is_proved_or_fresh(form.proof):
        return None
    return _back(str(form.proof.errors[0]), "bad")


def _back(sentence: str, kind: str) -> Any:
    flash(sentence, kind)
    return redirect(url_for("profile.index", _anchor="connections"), 303)
