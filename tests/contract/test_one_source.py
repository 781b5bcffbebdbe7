"""A fact that several parts show is the same in all of them, because one function says it."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import update

from llmrack.accounts import accounts
from llmrack.billing import overview
from llmrack.inference.context import AppContext
from llmrack.store.tables.usage import Account
from llmrack.wire.openapi import headers
from tests.support.servers import ROOT
from tests.support.shops import close, make_app
from tests.support.visitor import PASSWORD, Visitor, make_person


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """A server as in a container: it listens on every address and has no public URL."""
    made = make_app(tmp_path, host="0.0.0.0", port=8123)
    yield made
    close(made)


def test_no_page_command_or_mail_shows_an_address_that_no_client_can_call(app: Flask) -> None:
    make_person(app, "ada@example.com")
    ada = Visitor(app)
    ada.sign_in("ada@example.com")
    run = app.test_cli_runner().invoke
    here = "http://127.0.0.1:8123"
    shown = {path: ada.get(path).text for path in ("/", "/docs/quickstart", "/llms.txt", "/docs/integrations/litellm")}
    shown["reset"] = run(args=["accounts", "reset", "ada@example.com"]).output
    shown["captures"] = run(args=["captures", "record", "pong", "--key", "rl_test_x"]).output
    shown["create"] = run(args=["accounts", "create", "bob@example.com", "--password", PASSWORD]).output
    assert {name for name, text in shown.items() if here not in text} == set()
    assert {name for name, text in shown.items() if "0.0.0.0" in text} == set()


@pytest.mark.parametrize("public_url", ["https://llm.example.org", "https://llm.example.org/"])
def test_the_public_address_is_what_everybody_is_told(tmp_path: Path, public_url: str) -> None:
    app = make_app(tmp_path, public_url=public_url)
    try:
        make_person(app, "ada@example.com")
        client = app.test_client()
        told = client.get("/openapi.json", headers={"Host": "evil.example"}).json["servers"][0]["url"]
        assert told == "https://llm.example.org"
        for path in ("/", "/docs/quickstart", "/playground", "/llms.txt"):
            text = client.get(path, headers={"Host": "evil.example", "Accept": "text/html"}).text
            assert "https://llm.example.org" in text
            assert "evil.example" not in text
        link = app.test_cli_runner().invoke(args=["accounts", "reset", "ada@example.com"]).output
        assert link.startswith("https://llm.example.org/reset/new?token=")
    finally:
        close(app)


def test_only_one_module_puts_an_address_together_from_host_and_port() -> None:
    """gunicorn binds to them, which is no address for people."""
    pattern = re.compile(r"http://\{[^}]*host\}|public_url or")
    found = {
        str(path.relative_to(ROOT))
        for folder in ("blueprints", "cli", "llmrack", "server")
        for path in (ROOT / folder).rglob("*.py")
        if pattern.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"llmrack/deployment.py", "blueprints/web/mail.py"}


def test_a_plan_that_has_ended_is_in_force_nowhere(app: Flask) -> None:
    context: AppContext = app.extensions["llmrack"]
    make_person(app, "ada@example.com")
    now = datetime.now(UTC)
    with context.store.write() as connection:
        ended = {"plan_id": "pro", "plan_ends_at": now - timedelta(days=1), "next_plan_id": "business"}
        connection.execute(update(Account).where(Account.email == "ada@example.com").values(ended))
    ada = Visitor(app)
    ada.sign_in("ada@example.com")
    assert "Business" in ada.get("/dashboard").text
    assert "Business plan" in ada.get("/dashboard/billing").text
    made = app.test_cli_runner().invoke(args=["keys", "create", "--name", "k", "--account", "ada@example.com"]).output
    assert "ada@example.com (plan business)" in made
    secret = made.splitlines()[-1]
    answer = app.test_client().get("/v1/models", headers={"Authorization": f"Bearer {secret}"})
    assert answer.headers["x-ratelimit-limit-tokens"] == "5000000"
    assert overview.find(context.store, context.plans, "ada@example.com", now).plan.id == "business"
    assert accounts.find(context.store, "ada@example.com").plan_id == "pro"


def test_openapi_and_the_documentation_describe_headers_in_the_same_words(app: Flask) -> None:
    client = app.test_client()
    described = client.get("/openapi.json").json["components"]["headers"]
    assert {name: row["description"] for name, row in described.items()} == {
        header.name: header.meaning for header in headers.HEADERS
    }
    page = client.get("/docs/limits.md").text
    assert [header.name for header in headers.HEADERS if f"| {header.meaning} |" not in page] == []
