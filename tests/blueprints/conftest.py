"""The application in this process with an outbox instead of a mail server, and people who use it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask_migrate import upgrade

from app import create_app
from llmrack.clients.mail import Mail, Outbox
from llmrack.inference.context import AppContext
from tests.support.visitor import Visitor, make_person

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    app = create_app(
        {
            "instance_dir": str(tmp_path_factory.mktemp("instance")),
            "ollama_url": "http://127.0.0.1:9",
            "test_mode_pieces_per_s": 0.0,
            "log_level": "warning",
        }
    )
    with app.app_context():
        upgrade()
    yield app
    context: AppContext = app.extensions["llmrack"]
    context.engines.live.close()
    context.store.engine.dispose()


@pytest.fixture(scope="session")
def context(app: Flask) -> AppContext:
    return app.extensions["llmrack"]


class Post(Outbox):
    """An outbox that pages take for a mail server."""

    is_configured = True

    def __init__(self) -> None:
        super().__init__(shows_text=True)

    def last(self, to: str, subject: str = "") -> Mail:
        """The newest mail to this address; mails leave in a thread."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            for mail in list(self.sent):
                if mail.to == to and subject in mail.subject:
                    return mail
            time.sleep(0.005)
        raise AssertionError(f"no mail to {to}: {[(mail.to, mail.subject) for mail in self.sent]}")


@pytest.fixture
def post(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Post:
    """Mail is configured, and arrives here."""
    box = Post()
    monkeypatch.setitem(app.extensions, "llmrack_mail", box)
    return box


@pytest.fixture
def address() -> str:
    """A network address no other test has used, because tries are counted by address."""
    number = next(_numbers)
    return f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"


@pytest.fixture
def visitor(app: Flask, address: str) -> Visitor:
    return Visitor(app, address)


@pytest.fixture
def email() -> str:
    return f"person{next(_numbers)}@example.com"


@pytest.fixture
def member(app: Flask, visitor: Visitor, email: str) -> Visitor:
    """A visitor who has an account with the address `email` and is signed in."""
    make_person(app, email)
    assert visitor.sign_in(email).status_code == 303
    return visitor


@pytest.fixture
def another(app: Flask) -> Callable[[], Visitor]:
    """Makes further browsers."""

    def make() -> Visitor:
        number = next(_numbers)
        return Visitor(app, f"10.{200 + number // 65536}.{number // 256 % 256}.{number % 256}")

    return make
