"""Sending a browser to an identity provider and back.

The content policy lets forms lead to our own pages only, and Chromium holds redirects after a form to it as well. A
page that refreshes itself is no such redirect, and its link works where refreshing is switched off.
"""

from __future__ import annotations

import logging
import secrets
import time
from typing import Any

from flask import make_response, render_template, session, url_for

from llmrack import deployment
from llmrack.clients.identity_provider import Flow, IdentityProvider, IdentityProviderAway

from ..extensions import context

log = logging.getLogger(__name__)

# How long a person may take at the provider.
FLOW_S = 600


def begin(provider: IdentityProvider, target: str, account_id: int | None = None) -> Any:
    """Lead to the provider; this browser's signed session keeps what the answer must fit. `account_id` is the account
    to connect. Raises IdentityProviderAway."""
    flow = Flow(
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
        redirect_uri=redirect_uri(provider),
    )
    url = provider.authorization_url(flow)
    session["flow"] = {
        "provider": provider.row.id,
        "state": flow.state,
        "nonce": flow.nonce,
        "verifier": flow.verifier,
        "next": target[:2000],
        "account": account_id,
        "at": int(time.time()),
    }
    return _page(url, f"Continue to {provider.row.label}")


def redirect_uri(provider: IdentityProvider) -> str:
    """Where the provider sends people back to. Each has its own, so that no answer is taken for another's."""
    path = url_for("providers.come_back", provider_id=provider.row.id, _external=False)
    return f"{deployment.base_url(context.settings)}{path}"


def sign_out(provider: IdentityProvider | None) -> Any:
    """Lead to where the provider ends its own session; None where it has no such place or is away."""
    if provider is None:
        return None
    try:
        url = provider.sign_out_url(f"{deployment.base_url(context.settings)}{url_for('account.login')}")
    except IdentityProviderAway as error:
        log.warning("an identity provider is away: %s", error)
        return None
    return _page(url, f"Sign out of {provider.row.label} as well") if url else None


def _page(url: str, label: str) -> Any:
    response = make_response(render_template("account/leaving.html", url=url, label=label))
    response.headers["Refresh"] = f"0; url={url}"
    return response
