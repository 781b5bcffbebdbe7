"""`flask keys` as an operator types it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from app import create_app
from llmrack.accounts import accounts
from llmrack.keys import authentication, keys
from llmrack.store.database import db
from llmrack.store.tables.base import Base


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app({"instance_dir": str(tmp_path)})
    with app.app_context():
        Base.metadata.create_all(db.engine)
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def run(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


def test_create_ends_with_the_secret_alone_on_the_last_line(app: Flask, run: FlaskCliRunner) -> None:
    done = run.invoke(args=["keys", "create", "--name", "laptop", "--permissions", "models, usage", "--plan", "pro"])
    assert done.exit_code == 0, done.output
    *facts, secret = done.output.splitlines()
    assert [line.split(maxsplit=1) for line in facts[:6]] == [
        ["id", "1"],
        ["name", "laptop"],
        ["mode", "live"],
        ["account", "local (plan pro)"],
        ["permissions", "models, usage"],
        ["expires", "never"],
    ]
    context = app.extensions["llmrack"]
    caller = authentication.resolve(context.store, context.plans, secret, datetime.now(UTC))
    assert (caller.plan.id, caller.permissions) == ("pro", {"models", "usage"})


def test_create_makes_accounts_and_expiring_test_keys(app: Flask, run: FlaskCliRunner) -> None:
    arguments = ["--name", "ci", "--mode", "test", "--account", "team", "--expires-in-days", "2"]
    assert run.invoke(args=["keys", "create", *arguments]).output.splitlines()[-1].startswith("rl_test_")
    (key,) = keys.list_all(app.extensions["llmrack"].store)
    assert (key.account, (key.expires_at - key.created_at).days) == ("team", 2)
    assert accounts.find(app.extensions["llmrack"].store, "team").plan_id is None


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["create"], 2, "Missing option '--name'"),
        (["create", "--name", "x", "--mode", "prod"], 2, "'prod' is not one of 'live', 'test'"),
        (["create", "--name", "x", "--permissions", "root"], 1, "There is no permission root."),
        (["create", "--name", "x", "--plan", "gold"], 1, "There is no plan gold. Choose from free, pro"),
        (["create", "--name", "x", "--expires-in-days", "0"], 2, "0 is not in the range x>=1"),
        (["revoke", "nothing"], 1, "No key has the id, the name or the start nothing."),
    ],
)
def test_wrong_arguments_are_told_and_make_nothing(
    app: Flask, run: FlaskCliRunner, arguments: list[str], code: int, said: str
) -> None:
    done = run.invoke(args=["keys", *arguments])
    assert (done.exit_code, said in done.output) == (code, True), done.output
    assert not keys.exists(app.extensions["llmrack"].store)


def test_list_shows_keys_without_their_secrets(run: FlaskCliRunner) -> None:
    assert "There is no key yet" in run.invoke(args=["keys", "list"]).output
    secret = run.invoke(args=["keys", "create", "--name", "laptop"]).output.splitlines()[-1]
    head, row = run.invoke(args=["keys", "list"]).output.splitlines()
    assert head.split()[:5] == ["ID", "NAME", "KEY", "MODE", "STATE"]
    assert row.split()[:6] == ["1", "laptop", f"{secret[:12]}…{secret[-4:]}", "live", "active", "local"]
    assert secret not in row


def test_revoke_names_the_key_it_revoked(app: Flask, run: FlaskCliRunner) -> None:
    secret = run.invoke(args=["keys", "create", "--name", "laptop"]).output.splitlines()[-1]
    done = run.invoke(args=["keys", "revoke", secret[:12]])
    assert (done.exit_code, done.output) == (0, f"Revoked key 1, laptop ({secret[:12]}…{secret[-4:]}).\n")
    assert "revoked" in run.invoke(args=["keys", "list"]).output


def test_a_database_that_is_not_migrated_is_told(tmp_path: Path) -> None:
    app = create_app({"instance_dir": str(tmp_path)})
    done = app.test_cli_runner().invoke(args=["keys", "list"])
    assert done.exit_code == 1
    assert done.output.startswith("Error: The database cannot be reached at the moment.")
    with app.app_context():
        db.engine.dispose()
