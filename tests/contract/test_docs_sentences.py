"""Sentences of the documentation about behaviour, held against the server that serves them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from flask import Flask

from llmrack.inference.context import AppContext
from llmrack.metering import refusals
from llmrack.wire.openapi.headers import HEADERS
from tests.blueprints.v1.conftest import Api, issue, make_app
from tests.support import made
from tests.support.fake_ollama import FakeOllama
from tests.support.visitor import Visitor, make_person

_names = count(1)
New = Callable[[str], tuple[Api, Api]]
RATES = [header.name for header in HEADERS if header.is_rate_limit]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, fake_ollama: FakeOllama) -> Iterator[Flask]:
    """A server with the plans and the models as they are shipped."""
    app = make_app(tmp_path_factory.mktemp("shipped"), fake_ollama)
    yield app
    context: AppContext = app.extensions["llmrack"]
    context.engines.live.close()
    context.store.engine.dispose()


@pytest.fixture
def new(app: Flask) -> New:
    """A live and a test client of one new account."""

    def make(plan: str) -> tuple[Api, Api]:
        context: AppContext = app.extensions["llmrack"]
        name = f"sentences-{next(_names)}"
        made.account(context.store, name, datetime.now(UTC), context.plans.get(plan))
        return Api(app.test_client(), issue(context, name, "live")), Api(
            app.test_client(), issue(context, name, "test")
        )

    return make


def page(app: Flask, slug: str) -> str:
    return app.test_client().get(f"/docs/{slug}.md").text


def test_test_keys_have_the_limits_for_themselves_that_every_page_names(app: Flask, new: New) -> None:
    plan = app.extensions["llmrack"].plans.get("free")
    per_minute, at_once = plan.test_requests_per_minute, plan.test_concurrent_requests
    assert (per_minute, at_once) == (600, 100)
    for slug in ("quickstart", "limits", "test-mode"):
        assert f"{per_minute} requests a minute and {at_once} at the same time" in page(app, slug), slug
    make_person(app, "ada@example.com")
    ada = Visitor(app)
    ada.sign_in("ada@example.com")
    ada.key()
    assert f"they have {per_minute} requests a minute for themselves" in ada.get("/dashboard").text
    live, test = new("free")
    statuses = [test.chat("hi").status_code for _ in range(per_minute + 1)]
    assert statuses == [200] * per_minute + [429]
    assert test.get("/usage").headers["x-ratelimit-limit-requests"] == str(per_minute)
    rows = {row["name"]: row["limit"] for row in test.get("/usage").get_json()["limits"]}
    assert (rows["requests_per_minute"], rows["concurrent_requests"]) == (per_minute, at_once)
    answer = live.chat("hi")
    assert answer.status_code == 200
    assert answer.headers["x-ratelimit-remaining-requests"] == str(plan.requests_per_minute - 1)


def test_responses_to_a_test_key_name_the_tokens_of_the_plan_and_use_none(app: Flask, new: New) -> None:
    assert "Test keys have no limit of tokens: their responses name that of the plan" in page(app, "limits")
    for plan, limit in (("free", "10000"), ("payg", "100000")):
        _, test = new(plan)
        for _ in range(2):
            headers = test.chat("hi").headers
            assert headers["x-ratelimit-limit-tokens"] == headers["x-ratelimit-remaining-tokens"] == limit


def test_the_headers_are_on_every_response_to_an_accepted_key_and_on_no_other(app: Flask, new: New) -> None:
    sentence = "They are on every response to a key that the server accepts, errors and streams included, also where"
    assert sentence in page(app, "limits")
    assert "Every response to a key says where its account stands:" in page(app, "quickstart")
    live, test = new("pro")
    hi = {"model": "phi-3-mini", "messages": [{"role": "user", "content": "hi"}]}
    for api in (live, test):
        answers = {
            200: api.post("/chat/completions", hi),
            206: api.post("/chat/completions", hi | {"stream": True}),
            201: api.get("/models"),
            400: api.post("/chat/completions", b"{"),
            404: api.get("/models/no-such-model"),
            405: api.get("/chat/completions"),
            4041: api.get("/no-such-address"),
            415: api.client.post("/v1/chat/completions", data=b"x", headers=api.headers({"Content-Type": "text/css"})),
        }
        for status, answer in answers.items():
            assert [name for name in (*RATES, "x-request-id") if name not in answer.headers] == [], status
            answer.get_data()
    without_key = app.test_client().get("/v1/models")
    nothing = app.test_client().get("/v1/no-such-address")
    unknown_key = Api(app.test_client(), live.key[:-1] + "!").get("/no-such-address")
    assert (without_key.status_code, nothing.status_code, unknown_key.status_code) == (401, 404, 404)
    for answer in (without_key, nothing, unknown_key):
        assert "x-request-id" in answer.headers
        assert [name for name in RATES if name in answer.headers] == []


def test_the_pages_say_how_many_refusals_are_listed_and_for_how_long(app: Flask) -> None:
    text = page(app, "limits")
    assert f"A key has {refusals.LISTED_PER_HOUR} of them listed in an hour" in text
    assert f"they stay for {refusals.KEPT_DAYS} days" in text


def test_a_server_without_a_model_for_images_shows_how_to_switch_one_on_instead_of_a_request(
    app: Flask, tmp_path: Path, fake_ollama: FakeOllama
) -> None:
    text = page(app, "quickstart")
    vision = text.split("### Vision")[1].split("\n## ")[0].split("\n### ")[0]
    assert "/v1/chat/completions" not in vision
    toml = vision.split("```toml\n")[1].split("```")[0]
    (tmp_path / "models.toml").write_text(toml, encoding="utf-8")
    other = make_app(tmp_path, fake_ollama)
    try:
        assert other.extensions["llmrack"].catalog.get("llava-7b") is not None
        vision = page(other, "quickstart").split("### Vision")[1].split("\n## ")[0].split("\n### ")[0]
        assert "/v1/chat/completions" in vision
        assert "offers none" not in vision
    finally:
        other.extensions["llmrack"].engines.live.close()
        other.extensions["llmrack"].store.engine.dispose()
