"""Which refused requests the log of an account has, and what it has of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from llmrack.accounts import accounts
from llmrack.billing import credits
from llmrack.inference.context import AppContext
from llmrack.keys import keys
from llmrack.keys.keys import Restrictions
from llmrack.metering.refusals import LISTED_PER_HOUR
from llmrack.store.tables.usage import Refusal, RefusalHour, Usage
from tests.blueprints.v1.conftest import ROOMY_PLAN, Api, make_app
from tests.support import made
from tests.support.fake_ollama import FakeOllama

HI = {"model": "phi-3-mini", "messages": [{"role": "user", "content": "a secret word"}]}
Row = tuple[str, int, str, str | None]


class Account:
    """One account on a server of its own."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.context: AppContext = app.extensions["llmrack"]
        self.plan("few")

    def plan(self, id_: str) -> None:
        made.account(self.context.store, "ada", datetime.now(UTC))
        made.put_on(self.context.store, "ada", self.context.plans.get(id_))

    def key(self, mode: str = "live", **facts: object) -> tuple[Api, int]:
        issued = made.key(self.context.store, name="k", mode=mode, account="ada", **facts)  # type: ignore[arg-type]
        return Api(self.app.test_client(), issued.secret), issued.key.id

    def rows(self) -> list[Row]:
        """(endpoint, status, code, param) of what is listed, oldest first."""
        self.context.refusals.flush(self.context.store)
        columns = (Refusal.endpoint, Refusal.status, Refusal.code, Refusal.param)
        with self.context.store.read() as connection:
            found = connection.execute(select(*columns).order_by(Refusal.created_at, Refusal.request_id))
            return [tuple(row) for row in found]


@pytest.fixture
def ada(tmp_path: Path, fake_ollama: FakeOllama) -> Iterator[Account]:
    (tmp_path / "plans.toml").write_text(ROOMY_PLAN, encoding="utf-8")
    app = make_app(tmp_path, fake_ollama)
    yield Account(app)
    app.extensions["llmrack"].engines.live.close()
    app.extensions["llmrack"].store.engine.dispose()


def test_each_kind_of_refusal_is_listed_with_its_status_code_and_field(ada: Account) -> None:
    api, key_id = ada.key()
    sent = [
        api.post("/chat/completions", HI | {"temperature": 9}),
        api.get("/models/nothing"),
        api.get("/chat/completions"),
        api.client.get("/v1/chat/completion?q=a%20secret%20word", headers=api.headers()),
        ada.key(permissions=("models",))[0].post("/chat/completions", HI),
        ada.key(restrictions=Restrictions(addresses=("10.1.2.3/32",)))[0].get("/models"),
        ada.key(expires_at=datetime.now(UTC) - timedelta(days=1))[0].get("/models"),
        ada.key(paused_at=datetime.now(UTC))[0].get("/models"),
    ]
    keys.revoke(ada.context.store, accounts.find(ada.context.store, "ada").id, key_id, datetime.now(UTC), actor="tests")
    sent.append(api.get("/models"))
    assert ada.rows() == [
        ("POST /v1/chat/completions", 400, "invalid_value", "temperature"),
        ("GET /v1/models/{model_id}", 404, "model_not_found", "model"),
        ("GET /v1/chat/completions", 405, "method_not_allowed", None),
        ("GET /v1/chat/completion", 404, "not_found", None),
        ("POST /v1/chat/completions", 403, "permission_denied", None),
        ("GET /v1/models", 403, "address_not_allowed", None),
        ("GET /v1/models", 401, "invalid_api_key", None),
        ("GET /v1/models", 401, "key_paused", None),
        ("GET /v1/models", 401, "invalid_api_key", None),
    ]
    with ada.context.store.read() as connection:
        ids = set(connection.scalars(select(Refusal.request_id)))
        assert "secret" not in str(connection.execute(select(Refusal.__table__)).all())
    assert ids == {answer.headers["x-request-id"] for answer in sent}


def test_a_key_that_is_unknown_or_missing_is_no_account_s_refusal(ada: Account) -> None:
    api, _ = ada.key()
    Api(api.client, api.key[:-1] + "!").get("/models")
    api.client.get("/v1/models")
    api.client.get("/v1/nothing")
    assert ada.rows() == []


def test_answers_and_failures_of_the_model_are_no_refusals(ada: Account) -> None:
    api, _ = ada.key()
    assert api.post("/chat/completions", HI).status_code == 200
    assert api.chat("hi [[fault:500_html]]").status_code == 502
    assert ada.rows() == []


def test_a_request_without_credits_is_listed(ada: Account) -> None:
    ada.plan("payg")
    api, _ = ada.key(restrictions=Restrictions(nanousd_per_month=1))
    assert api.post("/chat/completions", HI).status_code == 402
    account_id = accounts.find(ada.context.store, "ada").id
    credits.grant(ada.context.store, account_id, 10**9, "welcome", "operator", datetime.now(UTC))
    answer = api.post("/chat/completions", HI)
    assert "x-ratelimit-remaining-requests" in answer.headers
    assert [row[1:3] for row in ada.rows()] == [(402, "insufficient_credits"), (402, "monthly_limit")]


def test_a_client_that_loops_at_its_limit_writes_nothing_until_the_batch_and_then_a_bounded_number(
    ada: Account,
) -> None:
    api, key_id = ada.key("test")
    with ada.context.store.read() as connection:
        assert connection.execute(select(Refusal)).all() == []
    statuses = [api.chat("hi").status_code for _ in range(310)]
    assert statuses == [200] * 10 + [429] * 300
    with ada.context.store.read() as connection:
        assert connection.execute(select(Refusal)).all() == []
        assert len(connection.execute(select(Usage.request_id)).all()) == 10
    written = ada.context.store._data_version(), ada.context.store._keep().total_changes
    assert [api.chat("hi").status_code for _ in range(100)] == [429] * 100
    assert (ada.context.store._data_version(), ada.context.store._keep().total_changes) == written
    assert ada.rows() == [("POST /v1/chat/completions", 429, "requests_per_minute", None)] * LISTED_PER_HOUR
    with ada.context.store.read() as connection:
        assert connection.execute(select(RefusalHour.key_id, RefusalHour.requests)).all() == [(key_id, 400)]


def test_usage_and_receipts_know_nothing_of_refusals(ada: Account) -> None:
    api, _ = ada.key()
    api.post("/chat/completions", HI)
    before = api.get("/usage").get_json()
    for _ in range(5):
        refused = api.post("/chat/completions", HI | {"n": 2})
    ada.rows()
    after = api.get("/usage").get_json()
    assert (after["total"], after["data"]) == (before["total"], before["data"])
    assert api.get(f"/requests/{refused.headers['x-request-id']}").status_code == 404


def test_paths_from_anyone_are_kept_printable_and_short(ada: Account) -> None:
    api, _ = ada.key()
    api.client.get("/v1/%00%0a%1b" + "x" * 500, headers=api.headers())
    ((endpoint, *_),) = ada.rows()
    assert endpoint.startswith("GET /v1/???xxx")
    assert len(endpoint) == 100
