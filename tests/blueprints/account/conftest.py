"""A small identity provider that the pages offer, and a browser that went to it and was sent back."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from llmrack.clients.openid import OpenIdProvider
from llmrack.sign_in import SignInProvider
from tests.support.oidc import CLIENT_ID, CLIENT_SECRET, FakeOidc, back, subjects
from tests.support.visitor import Visitor


@pytest.fixture
def oidc(email: str) -> Iterator[FakeOidc]:
    with FakeOidc() as provider:
        provider.person = {"sub": f"subject-{next(subjects)}", "email": email, "email_verified": True}
        yield provider


@pytest.fixture
def configure(app: Flask, oidc: FakeOidc, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Offers the provider, with these changes to its row."""

    def offer(**changes: Any) -> None:
        row = SignInProvider(
            id="corp", label="Corp", client_id=CLIENT_ID, client_secret=CLIENT_SECRET, issuer=oidc.issuer,
            scopes=("openid", "email"), creates=True,
        )  # fmt: skip
        monkeypatch.setitem(
            app.extensions, "llmrack_identity_providers", {"corp": OpenIdProvider(replace(row, **changes))}
        )

    offer()
    return offer


@pytest.fixture
def sent(configure: Callable[..., None], visitor: Visitor, oidc: FakeOidc) -> Callable[..., str]:
    """Begins in a browser; the path with which the provider sends it back."""

    def begin(browser: Visitor | None = None, target: str = "") -> str:
        page = (browser or visitor).post("/login/with/corp", {"next": target})
        assert page.status_code == 200, page.text
        return back(oidc, page)

    return begin
