"""`flask accounts`: the first operator of an installation, and help for people who are locked out."""

import contextlib
import os
import pty
import pwd
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask_migrate import upgrade

from app import create_app
from llmrack.accounts import audit, links, people, sessions
from llmrack.inference.context import AppContext
from llmrack.keys import authentication
from tests.support import made
from tests.support.servers import ROOT, environment, flask

PASSWORD = "correct horse battery staple"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app({"instance_dir": str(tmp_path), "ollama_url": "http://127.0.0.1:9", "log_level": "warning"})
    with app.app_context():
        upgrade()
    yield app
    context: AppContext = app.extensions["llmrack"]
    context.engines.live.close()
    context.store.engine.dispose()


def run(app: Flask, *arguments: str, fails: bool = False) -> str:
    result = app.test_cli_runner().invoke(args=["accounts", *arguments])
    assert (result.exit_code != 0) == fails, result.output
    return result.output


def test_the_first_account_of_an_installation_becomes_the_operator(app: Flask) -> None:
    assert "an operator" in run(app, "create", "Ada@Example.com", "--operator", "--password", PASSWORD)
    person = people.authenticate(app.extensions["llmrack"].store, "ada@example.com", PASSWORD)
    assert person is not None
    assert person.is_operator
    assert person.is_verified
    assert "has an account already" in run(app, "create", "ada@example.com", "--password", PASSWORD, fails=True)


def test_without_a_terminal_the_missing_option_is_named(tmp_path: Path) -> None:
    env = environment(tmp_path, "http://127.0.0.1:9")
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "accounts", "create", "ada@example.com"]
    done = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "Error: Missing option '--password': there is no terminal here to ask for it."
    )


def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    env = environment(tmp_path, "http://127.0.0.1:9")
    flask(env, "db", "upgrade")
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "accounts", "create", "ada@example.com"]
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        shown = b""
        for _ in range(2):
            while not shown.endswith((b"Password: ", b"confirmation: ", b"Repeat for confirmation: ")):
                shown += os.read(ours, 1000)
            os.write(ours, f"{PASSWORD}\n".encode())
            shown += b"|"
        with contextlib.suppress(OSError):
            while chunk := os.read(ours, 1000):
                shown += chunk
    os.close(ours)
    assert process.returncode == 0, shown
    assert PASSWORD.encode() not in shown
    assert b"Made account" in shown


def test_what_the_page_refuses_the_command_refuses(app: Flask) -> None:
    assert "at least 8" in run(app, "create", "ada@example.com", "--password", "short", fails=True)
    assert "e-mail address" in run(app, "create", "ada", "--password", PASSWORD, fails=True)
    assert "There is no plan" in run(
        app, "create", "ada@example.com", "--password", PASSWORD, "--plan", "x", fails=True
    )


def test_the_role_can_be_given_and_taken(app: Flask) -> None:
    store = app.extensions["llmrack"].store
    run(app, "create", "ada@example.com", "--password", PASSWORD, "--plan", "pro")
    run(app, "operator", "ada@example.com")
    assert people.find(store, "ada@example.com").is_operator  # type: ignore[union-attr]
    run(app, "operator", "ada@example.com", "--remove")
    assert not people.find(store, "ada@example.com").is_operator  # type: ignore[union-attr]
    assert "No person signs in" in run(app, "operator", "bob@example.com", fails=True)


def test_disabling_ends_sessions_and_keys_at_once(app: Flask) -> None:
    context: AppContext = app.extensions["llmrack"]
    run(app, "create", "ada@example.com", "--password", PASSWORD)
    person, now = people.find(context.store, "ada@example.com"), datetime.now(UTC)
    assert person is not None
    token = sessions.start(context.store, person.account_id, now)
    secret = made.key(context.store, name="k", mode="test", account_id=person.account_id).secret
    run(app, "disable", "ada@example.com", "--reason", "It sends spam.")
    assert sessions.find(context.store, token, now) is None
    with pytest.raises(authentication.AuthenticationFailed, match="disabled"):
        authentication.resolve(context.store, context.plans, secret, now)
    run(app, "enable", "ada@example.com")
    assert authentication.resolve(context.store, context.plans, secret, now).account_id == person.account_id
    assert sessions.find(context.store, token, now) is None


def test_a_reset_link_is_printed_for_who_gets_no_mail(app: Flask) -> None:
    run(app, "create", "ada@example.com", "--password", PASSWORD)
    link = urlsplit(run(app, "reset", "ada@example.com", "--second-factor").strip())
    assert link.path == "/reset/new"
    token = link.query.removeprefix("token=")
    assert links.peek(app.extensions["llmrack"].store, token, links.RESET, datetime.now(UTC)) is not None


def test_the_terminal_is_named_by_the_user_of_its_process_and_not_by_its_environment(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    run(app, "create", "ada@example.com", "--password", PASSWORD)
    (act,) = audit.entries(app.extensions["llmrack"].store, action="account.create")
    assert act.actor == f"terminal:{pwd.getpwuid(os.getuid()).pw_name}"
