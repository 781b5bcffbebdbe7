"""`flask credits` and `flask billing`: what the operator's pages do, at a terminal."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from llmrack.billing import webhooks
from tests.support import made
from tests.support.fake_stripe import FakeStripe
from tests.support.shops import close, make_app, shop_settings


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = make_app(tmp_path)
    made.account(app.extensions["llmrack"].store, "ada", datetime.now(UTC))
    yield app
    close(app)


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=list(arguments))


def test_credits_are_granted_with_a_reason(app: Flask) -> None:
    assert run(app, "credits", "grant", "ada", "12.50", "--reason", "welcome").output == "ada has $12.50 of credits.\n"
    assert run(app, "credits", "grant", "ada", "-2", "--reason", "a slip").output == "ada has $10.50 of credits.\n"
    shown = run(app, "credits", "show", "ada").output
    assert "ada: $10.50, of which $0.00 held" in shown
    assert "welcome (terminal:" in shown
    assert run(app, "credits", "check").output == "1 balances equal the sums of their ledgers.\n"
    assert "credits.grant ada  12.50 USD: welcome" in run(app, "billing", "audit").output


@pytest.mark.parametrize(
    "arguments",
    [
        ("credits", "grant", "nobody", "5", "--reason", "x"),
        ("credits", "grant", "ada", "five", "--reason", "x"),
        ("credits", "grant", "ada", "0", "--reason", "x"),
        ("credits", "grant", "ada", "5", "--reason", " "),
        ("credits", "grant", "ada", "5"),
        ("billing", "plan", "ada", "gold", "--reason", "x"),
        ("billing", "plan", "ada", "pro", "--reason", "x", "--until", "2020-01-01"),
        ("billing", "plan", "nobody", "pro", "--reason", "x"),
        ("billing", "statement", "ada", "2999-01"),
        ("billing", "check"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(app: Flask, arguments: tuple[str, ...]) -> None:
    result = run(app, *arguments)
    assert result.exit_code != 0
    assert "Error" in result.output
    assert run(app, "billing", "audit").output.count("\n") == 1


def test_a_plan_is_set_for_good_or_until_a_day(app: Flask) -> None:
    until = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%d")
    result = run(app, "billing", "plan", "1", "pro", "--reason", "a trial", "--until", until)
    assert result.output == f"ada is on Pro until {until}.\n"
    shown = run(app, "billing", "show", "ada").output
    assert "ada: Pro until" in shown
    assert "a trial (terminal:" in shown
    run(app, "billing", "plan", "ada", "business", "--reason", "liked it")
    assert run(app, "billing", "show", "ada").output.startswith("ada: Business, $0.00")


def test_a_statement_and_the_revenue_are_shown(app: Flask) -> None:
    run(app, "credits", "grant", "ada", "5", "--reason", "welcome")
    shown = run(app, "billing", "statement", "ada", datetime.now(UTC).strftime("%Y-%m")).output
    assert "granted: welcome" in shown
    assert "closing balance" in shown
    assert "0 requests, worth $0.00." in shown
    assert run(app, "billing", "revenue").exit_code == 0


def test_the_events_of_the_webhook_are_listed(app: Flask) -> None:
    shown = run(app, "billing", "events").output
    assert "/webhooks/stripe" in shown
    assert all(name in shown for name in webhooks.EVENT_TYPES)


def test_prices_that_differ_from_the_plans_are_found(tmp_path: Path) -> None:
    with FakeStripe() as stripe:
        app = make_app(tmp_path / "shop", **shop_settings(stripe))
        assert "costs at Stripe what it costs here" in run(app, "billing", "check").output
        assert run(app, "billing", "sync").output == "Every subscription is up to date.\n"
        stripe.all("price")[0]["unit_amount"] = 900
        result = run(app, "billing", "check")
        assert result.exit_code == 1
        assert "pro: price_000001 is (900, 'usd', 'month', True) at Stripe" in result.output
        close(app)


def test_changes_at_the_terminal_are_in_the_audit_log(app: Flask) -> None:
    run(app, "accounts", "create", "bob@example.com", "--password", "correct horse battery staple")
    for command in (("operator",), ("disable", "--reason", "It sends spam."), ("enable",), ("reset",)):
        assert run(app, "accounts", *command, "bob@example.com").exit_code == 0
    run(app, "keys", "create", "--name", "k", "--account", "bob@example.com")
    run(app, "keys", "revoke", "k", "--reason", "It leaked.")
    log = run(app, "billing", "audit", "--account", "bob@example.com").output
    acts = ("account.create", "account.operator", "account.disable", "account.enable", "account.reset", "key.create")
    for action in (*acts, "key.revoke"):
        assert f"terminal:{pwd.getpwuid(os.getuid()).pw_name}  {action}" in log
    assert "It sends spam." in log
    assert "It leaked." in log
