"""Secrets planted in every input, and exceptions raised wherever something can break: none of them shows anywhere."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pyotp
import pytest
from flask import Flask
from sqlalchemy import exc, insert
from werkzeug.test import TestResponse

from llmrack import logs
from llmrack.accounts import links, passwords, people, sessions, throttle, totp
from llmrack.errors import Unavailable
from llmrack.inference.context import AppContext
from llmrack.keys import authentication, keys
from llmrack.metering import limits, reports, usage, usage_rows
from llmrack.store import database
from llmrack.store.tables.usage import Account
from tests.blueprints.conftest import Post
from tests.support.visitor import Visitor, make_person


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything the process logs, as the server writes it."""
    text, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logs.JsonFormatter())
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


def dump(context: AppContext) -> str:
    with context.store.read() as connection:
        return "\n".join(connection.connection.dbapi_connection.iterdump())  # type: ignore[union-attr]


class Broken(Exception):
    """Raised in the middle of things."""


# Where the exceptions are raised: a function, and the request that reaches it.
POINTS: list[tuple[object, str, str]] = [
    (people, "sign_up", "signup"),
    (passwords, "hash_password", "signup"),
    (passwords, "check", "signup"),
    (links, "make", "signup"),
    (people, "authenticate", "login"),
    (people, "find", "login"),
    (passwords, "verify", "login"),
    (throttle, "take", "login"),
    (sessions, "start", "login"),
    (totp, "check", "code"),
    (totp, "recover", "code"),
    (links, "use", "reset"),
    (links, "peek", "reset"),
    (sessions, "end_all", "settings"),
    (people, "has_password", "settings"),
    (keys, "issue", "key"),
    (keys, "issue", "key"),
    (keys, "list_all", "key"),
    (authentication, "resolve", "api"),
    (limits, "room", "api"),
    (usage_rows, "open_row", "api"),
    (usage_rows, "close_row", "api"),
    (usage, "by_day", "usage"),
    (reports, "sums", "usage"),
]


class World:
    """One account with its browser and key, actions that carry secrets, and every answer that refused something."""

    def __init__(self, app: Flask, another: Callable[[], Visitor], email: str) -> None:
        self.app, self.another = app, another
        self.context: AppContext = app.extensions["llmrack"]
        self.secrets: set[str] = set()
        self.answers: list[str] = []
        self.email, self.password = email, self.canary("password")
        self.account_id = make_person(app, self.email, password=self.password)
        self.member = another()
        self.member.sign_in(self.email, self.password)
        self.api_key = self.member.key(name="worker")
        self.token = self.member.token("/dashboard")
        self.plant_second_factor()
        cookie = self.member.client.get_cookie("llmrack")
        assert cookie is not None
        self.secrets |= {self.api_key, cookie.value}

    def canary(self, word: str) -> str:
        text = f"canary-{word}-{len(self.secrets)}-xyzzy"
        self.secrets.add(text)
        return text

    def plant_second_factor(self) -> None:
        self.member.post("/dashboard/settings/second-factor/begin", {"proof": self.password})
        secret = totp.secret(self.context.store, self.app.config["SECRET_KEY"], self.account_id)
        assert secret is not None
        shown = self.member.post("/dashboard/settings/second-factor", {"code": pyotp.TOTP(secret).now()})
        self.secrets |= {secret, *re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", shown.text)}

    def note(self, answer: TestResponse) -> TestResponse:
        if answer.status_code >= 400:
            self.answers.append(answer.text + str(answer.headers))
        return answer

    def change(self, path: str, form: dict[str, str]) -> TestResponse:
        return self.note(self.member.send(path, form | {"csrf_token": self.token}))

    def signup(self) -> None:
        form = {"email": f"new{len(self.secrets)}@example.com", "password": self.canary("password")}
        self.note(self.another().post("/signup", form))

    def login(self) -> None:
        for password in (self.password, self.canary("wrong")):
            self.note(self.another().post("/login", {"email": self.email, "password": password}))
        throttle.forget(self.context.store, (throttle.LOGIN_ACCOUNT, self.email))

    def code(self) -> None:
        who = self.another()
        who.post("/login", {"email": self.email, "password": self.password})
        for code in (self.canary("code"), "123456"):
            self.note(who.post("/login/code", {"code": code}))

    def reset(self) -> None:
        who = self.another()
        token = links.make(self.context.store, self.account_id, links.RESET, self.email, datetime.now(UTC))
        self.secrets.add(token)
        self.note(who.get(f"/reset/new?token={token}"))
        self.note(who.post("/reset/new", {"token": f"{token}x", "password": self.password}))
        self.note(who.post("/verify", {"token": token}))

    def settings(self) -> None:
        form = {"current": self.canary("current"), "password": self.canary("new")}
        self.change("/dashboard/settings/password", form)
        self.change("/dashboard/settings/delete", {"proof": self.canary("proof")})
        self.change("/dashboard/settings/sessions/end", {})

    def key(self) -> None:
        page = self.change("/dashboard/keys", {"name": "k", "mode": "test", "permissions": "all", "expiry": ""})
        self.secrets |= set(re.findall(r"rl_test_\w{49}", page.text))

    def usage(self) -> None:
        for path in ("/dashboard/usage", "/dashboard", "/dashboard/usage/export.csv"):
            self.note(self.member.get(path))

    def api(self) -> None:
        client = self.app.test_client()
        headers = {"Authorization": f"Bearer {self.api_key}", "X-Api-Key": self.canary("header")}
        body = {"model": "phi-3-mini", "messages": [{"role": "user", "content": self.canary("prompt")}]}
        self.note(client.post("/v1/chat/completions", json=body, headers=headers))
        bad = self.canary("bad")
        self.note(client.get("/v1/models", headers={"Authorization": f"Bearer rl_live_{bad}"}))
        self.note(client.get(f"/v1/models?api_key={self.canary('query')}"))


def test_no_secret_reaches_a_log_the_database_an_error_or_a_metric(
    app: Flask,
    another: Callable[[], Visitor],
    post: Post,
    email: str,
    context: AppContext,
    log: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At least 30 secrets, 20 and more places to break, 0 traces."""
    world = World(app, another, email)

    def fail(*args: object, **kwargs: object) -> None:
        raise Broken("broken on purpose")

    for module, name, action in POINTS:
        with monkeypatch.context() as patch, contextlib.suppress(Broken):
            patch.setattr(module, name, fail)
            getattr(world, action)()
    reached = log.getvalue().count("broken on purpose")
    for action in sorted({action for _, _, action in POINTS}):
        getattr(world, action)()
    metrics = app.test_client().get("/metrics").text
    places = {"log": log.getvalue(), "database": dump(context), "answers": "".join(world.answers), "metrics": metrics}
    # The outbox stands in for a mail server here: what it was given went to the person it belongs to.
    places["log"] = "\n".join(line for line in places["log"].splitlines() if '"llmrack.clients.mail"' not in line)
    found = [(place, secret) for place, text in places.items() for secret in world.secrets if secret in text]
    print(
        f"canaries: {len(world.secrets)} secrets, {len(POINTS)} functions broken, {reached} exceptions logged, "
        f"{len(world.answers)} refusals, {len(found)} traces"
    )
    assert len(world.secrets) >= 30
    assert reached >= 20
    assert found == []


def test_no_secret_reaches_a_log_when_the_database_is_locked_or_refuses_a_row(
    app: Flask,
    another: Callable[[], Visitor],
    post: Post,
    email: str,
    context: AppContext,
    log: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The database's own errors quote the statement; its parameters are hashes and addresses."""
    world = World(app, another, email)
    actions = ("signup", "login", "code", "reset", "settings", "key", "api")
    monkeypatch.setattr(database, "BUSY_DEADLINE_S", 0.05)
    path = context.store.engine.url.database
    assert path is not None
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with contextlib.suppress(Unavailable):
            for action in actions:
                with contextlib.suppress(Unavailable, AssertionError):
                    getattr(world, action)()
        other.execute("ROLLBACK")
    locked = log.getvalue().count("database is locked")
    hashed = passwords.hash_password(world.password)
    world.secrets.add(hashed)
    for values in ({"email": world.email}, {"name": None}, {"plan_id": "x" * 10, "name": world.email}):
        row = {"name": hashed, "created_at": datetime.now(UTC), **values}
        try:
            with context.store.write() as connection:
                connection.execute(insert(Account).values(row))
        except exc.IntegrityError:
            logging.getLogger("tests").exception("a constraint refused a row")
    places = {"log": log.getvalue(), "answers": "".join(world.answers)}
    assert locked >= 3
    assert places["log"].count("a constraint refused a row") == 3
    assert [(place, secret) for place, text in places.items() for secret in world.secrets if secret in text] == []


def test_a_log_line_stays_one_line_whatever_a_client_sends(app: Flask, visitor: Visitor, log: io.StringIO) -> None:
    visitor.client.get("/login", headers={"User-Agent": "a\x1b[31m b", "Accept": "text/html"})
    logging.getLogger("test").warning("name %s", "a\r\nb\x1b[0m")
    lines = log.getvalue().splitlines()
    assert all(line.startswith("{") and line.isprintable() for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abc.def",
        "rl_live_" + "a" * 49,
        "Cookie: llmrack=.eJw-secret; other=1",
        "password=hunter2hunter2",
        "'password': 'hunter2hunter2'",
    ],
)
def test_what_looks_like_a_secret_is_masked_in_logs(text: str) -> None:
    masked = logs.redact(text)
    assert "[secret]" in masked
    for part in ("abc.def", "a" * 49, ".eJw-secret", "hunter2"):
        assert part not in masked
