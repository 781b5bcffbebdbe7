"""The application in this process, on its own database, in front of the scripted Ollama, through Flask's client."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from werkzeug.test import TestResponse

from app import create_app
from llmrack.inference.context import AppContext
from tests.support import made
from tests.support.fake_ollama import FakeOllama

# "few" has limits that a test reaches with either kind of key.
ROOMY_PLAN = """
[plans.few]
name = "Few"
for_whom = "Tests"
requests_per_minute = 10
concurrent_requests = 10
usd_per_month = "0"
test_requests_per_minute = 10
test_concurrent_requests = 10

[plans.business]
requests_per_minute = 1000000
tokens_per_day = 1000000000
concurrent_requests = 100000
test_requests_per_minute = 1000000
test_concurrent_requests = 100000
"""


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory, fake_ollama: FakeOllama) -> Iterator[Flask]:
    instance = tmp_path_factory.mktemp("instance")
    (instance / "plans.toml").write_text(ROOMY_PLAN, encoding="utf-8")
    app = make_app(instance, fake_ollama)
    yield app
    context: AppContext = app.extensions["llmrack"]
    context.engines.live.close()
    context.store.engine.dispose()


def make_app(instance: Path, ollama: FakeOllama, **overrides: Any) -> Flask:
    overrides = {"instance_dir": str(instance), "ollama_url": ollama.url, "test_mode_pieces_per_s": 0.0} | overrides
    app = create_app(overrides)
    with app.app_context():
        upgrade()
    return app


@dataclass
class Api:
    """/v1 with one key."""

    client: FlaskClient
    key: str

    def headers(self, more: dict[str, str] | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} | (more or {})

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> TestResponse:
        """Bytes go as they are, everything else as JSON."""
        body = {"data": body} if isinstance(body, bytes) else {"json": body}
        return self.client.post(f"/v1{path}", headers=self.headers(headers), **body)

    def get(self, path: str) -> TestResponse:
        return self.client.get(f"/v1{path}", headers=self.headers())

    def chat(self, prompt: str, **fields: Any) -> TestResponse:
        messages = [{"role": "user", "content": prompt}]
        return self.post("/chat/completions", {"model": "phi-3-mini", "messages": messages} | fields)


@pytest.fixture(scope="session")
def context(app: Flask) -> AppContext:
    return app.extensions["llmrack"]


@pytest.fixture(scope="session")
def roomy_account(context: AppContext) -> str:
    """An account whose limits no test meets by accident."""
    return made.account(context.store, "roomy", datetime.now(UTC), context.plans.get("business")).name


def issue(context: AppContext, account: str | None, mode: str, **facts: Any) -> str:
    return made.key(context.store, name=f"{mode} key", mode=mode, account=account, **facts).secret


@pytest.fixture(scope="session")
def live(app: Flask, context: AppContext, roomy_account: str) -> Api:
    return Api(app.test_client(), issue(context, roomy_account, "live"))


@pytest.fixture(scope="session")
def test_mode(app: Flask, context: AppContext, roomy_account: str) -> Api:
    return Api(app.test_client(), issue(context, roomy_account, "test"))
