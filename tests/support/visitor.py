"""Somebody who uses the pages through Flask's client: follows forms with their tokens, as a browser would."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.test import TestResponse

from llmrack.accounts import people
from llmrack.clients.mail import Mail
from llmrack.inference.context import AppContext

PASSWORD = "correct horse battery staple"
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Visitor:
    """One browser with its own cookies. `address` is where it connects from."""

    def __init__(self, app: Flask, address: str = "127.0.0.1") -> None:
        self.app = app
        self.client = app.test_client()
        self.environ = {"REMOTE_ADDR": address}

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers={"Accept": "text/html"} | headers, environ_overrides=self.environ)

    def token(self, page: str = "/login") -> str:
        found = _TOKEN.search(self.get(page).text) or _TOKEN.search(self.get("/dashboard").text)
        assert found is not None, f"{page} has no form"
        return found[1]

    def post(
        self, path: str, data: Any = None, page: str | None = None, headers: dict[str, str] | None = None
    ) -> TestResponse:
        """Send a form with the token of `page`, or of the page of the same address."""
        form = dict(data or {}) | {"csrf_token": self.token(page or "/login")}
        return self.send(path, form, headers)

    def send(self, path: str, form: Any, headers: dict[str, str] | None = None) -> TestResponse:
        """Send exactly this form."""
        return self.client.post(
            path, data=form, headers={"Accept": "text/html"} | (headers or {}), environ_overrides=self.environ
        )

    def sign_in(self, email: str, password: str = PASSWORD) -> TestResponse:
        return self.post("/login", {"email": email, "password": password})

    def is_signed_in(self) -> bool:
        return self.get("/dashboard").status_code == 200

    def key(self, **fields: Any) -> str:
        """Generate a key with the form; its secret."""
        form = {"name": "k", "mode": "test", "permissions": ["all"], "expiry": ""} | fields
        page = self.post("/dashboard/keys", form)
        found = re.search(r'id="secret"[^>]*>(rl_\w+)<', page.text)
        assert found is not None, page.text
        return found[1]


def make_person(app: Flask, email: str, *, is_verified: bool = True, password: str = PASSWORD) -> int:
    """An account that can sign in; its id."""
    context: AppContext = app.extensions["llmrack"]
    account_id = people.sign_up(context.store, email, password, datetime.now(UTC), is_verified=is_verified)
    assert account_id is not None
    return account_id


def link_in(mail: Mail) -> str:
    """The path of the first link of a mail."""
    found = re.search(r"https?://\S+\?token=\S+", mail.text)
    assert found is not None, mail.text
    parts = urlsplit(found[0])
    return f"{parts.path}?{parts.query}"
