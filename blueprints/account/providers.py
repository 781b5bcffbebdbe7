"""Signing in with an identity provider: to it, and back with an answer that must fit what this browser began."""

from __future__ import annotations

import hmac
import logging
import time
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from werkzeug.exceptions import NotFound

from llmrack.accounts import identities, throttle
from llmrack.clients.identity_provider import (
    Flow,
    IdentityProvider,
    IdentityProviderAway,
    SignInRefused,
)

from ..extensions import context, identity_providers
from ..web import csrf, mail
from . import arrival, leaving, web_session
from .forms import LoginForm

bp = Blueprint("providers", __name__)
csrf.protect(bp)
log = logging.getLogger(__name__)

STALE = "This sign-in was begun in another browser, too long ago, or was used already. Try again."


@bp.app_context_processor
def sign_in_buttons() -> dict[str, Any]:
    """For the pages to sign in and up."""
    return {
        "sign_in_providers": lambda: [provider.row for provider in identity_providers.values()],
        "has_passwords": lambda: context.settings.local_sign_in == "everyone",
    }


def _provider(provider_id: str) -> IdentityProvider:
    provider = identity_providers.get(provider_id)
    if provider is None:
        raise NotFound
    return provider


@bp.post("/<provider_id>")
def leave(provider_id: str) -> Any:
    provider = _provider(provider_id)
    target = request.form.get("next", "")
    count = (throttle.PROVIDER_ADDRESS, throttle.network(request.remote_addr))
    try:
        throttle.take(context.store, datetime.now(UTC), count)
        return leaving.begin(provider, target)
    except throttle.TooMany as refusal:
        web_session.note("too many attempts")
        return *_refused(str(refusal), 429, target), {"Retry-After": str(refusal.retry_after_s)}
    except IdentityProviderAway as error:
        return _away(provider, error, target)


@bp.get("/<provider_id>/callback")
def come_back(provider_id: str) -> Any:
    """An answer is used once: whatever comes of it, this browser forgets what it began."""
    provider, begun = _provider(provider_id), session.pop("flow", None)
    params = {name: values[0] for name, values in request.args.lists() if len(values) == 1}
    if begun is None or begun["provider"] != provider_id or time.time() - begun["at"] > leaving.FLOW_S:
        return _refused(STALE, 400)
    if not hmac.compare_digest(begun["state"].encode(), params.get("state", "").encode("utf-8", "replace")):
        web_session.note("a sign-in was refused: state")
        return _refused(STALE, 400)
    target = begun["next"]
    if "error" in params or "code" not in params:
        log.info("a provider sent an error: %r", params.get("error", "")[:100])
        return _refused(f"{provider.row.label} did not sign you in. Try again, or sign in in another way.", 400, target)
    flow = Flow(begun["state"], begun["nonce"], begun["verifier"], leaving.redirect_uri(provider))
    try:
        proved = provider.identity(flow, params)
    except SignInRefused as error:
        log.warning("the answer of provider %s was refused: %s", provider_id, error)
        return _refused(f"What {provider.row.label} sent proves nothing. Try again.", 400, target)
    except IdentityProviderAway as error:
        return _away(provider, error, target)
    came = identities.Arrival(proved.issuer, proved.subject, proved.email, proved.groups)
    return _connect(provider, came, begun["account"]) if begun["account"] else _enter(provider, came, target)


def _enter(provider: IdentityProvider, came: identities.Arrival, target: str) -> Any:
    try:
        person = identities.admit(
            context.store, provider.row, came, datetime.now(UTC), is_open=bool(context.settings.signup)
        )
        return arrival.enter(person, target, provider.row.id)
    except (identities.NoAdmission, arrival.Disabled) as refusal:
        web_session.note("a sign-in with a provider was refused")
        return _refused(str(refusal), 403, target)


def _connect(provider: IdentityProvider, came: identities.Arrival, account_id: int) -> Any:
    """Only for the account that asked, in the browser that is still signed in to it."""
    if not web_session.is_signed_in_to(account_id):
        return _refused(STALE, 400)
    try:
        identities.connect(context.store, provider.row, came, account_id, datetime.now(UTC))
    except identities.NoAdmission as refusal:
        flash(str(refusal), "bad")
    else:
        web_session.note("an identity was connected", account_id)
        mail.send("identity_connected", web_session.viewer().email, label=provider.row.label)
        flash(f"{provider.row.label} is connected. You can sign in with it from now on.", "good")
    return redirect(url_for("profile.index", _anchor="connections"), 303)


def _away(provider: IdentityProvider, error: IdentityProviderAway, target: str) -> Any:
    log.warning("an identity provider is away: %s", error)
    sentence = f"{provider.row.label} cannot be reached just now. Try again in a minute, or sign in in another way."
    return _refused(sentence, 503, target)


def _refused(sentence: str, status: int, target: str = "") -> Any:
    text = render_template("account/login.html", form=LoginForm(formdata=None), target=target, failure=sentence)
    return text, status
