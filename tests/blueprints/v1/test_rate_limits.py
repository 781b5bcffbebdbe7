"""Limits as a client meets them: 429 with a time that is right, and headers on every answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from limits.errors import StorageError
from werkzeug.test import TestResponse

from blueprints.v1 import rate_limits
from llmrack.inference.context import AppContext
from llmrack.money import nanousd
from tests.blueprints.v1.conftest import Api, issue, make_app
from tests.support import made
from tests.support.fake_ollama import FakeOllama

HEADERS = ("Limit", "Remaining", "Reset")
_names = count(1)
New = Callable[..., Api]


@pytest.fixture
def new(app: Flask, context: AppContext) -> New:
    """A client with a key of a new account: `new("free", "live", tokens_per_day=5)`."""

    def make(plan: str = "free", mode: str = "live", account: str = "", **facts: Any) -> Api:
        name = account or f"limits-{next(_names)}"
        made.account(context.store, name, datetime.now(UTC), context.plans.get(plan))
        return Api(app.test_client(), issue(context, name, mode, **facts))

    return make


def error(answer: TestResponse) -> tuple[int, str, str]:
    body = answer.get_json()["error"]
    return answer.status_code, body["type"], body["code"]


def assert_has_headers(answer: TestResponse) -> None:
    for name in HEADERS:
        assert answer.headers[f"X-RateLimit-{name}"].isdigit()
        for noun in ("requests", "tokens"):
            assert answer.headers[f"x-ratelimit-{name.lower()}-{noun}"]


def test_the_eleventh_request_of_a_minute_is_429_with_the_time_until_one_is_free(new: New) -> None:
    api = new("few", "test")
    # A busy machine takes its time, so the first request is known to have been counted in a span only.
    asked_at = time.time()
    answers = [api.chat("hi")]
    answered_at = time.time()
    answers += [api.chat("hi") for _ in range(10)]
    refused_from = time.time()
    refused = api.chat("hi")
    refused_until = time.time()
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert error(refused) == (429, "rate_limit_exceeded", "requests_per_minute")
    wait_s = int(refused.headers["Retry-After"])
    assert asked_at + 59 - refused_until <= wait_s <= answered_at + 61 - refused_from
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert asked_at + 59 <= int(refused.headers["X-RateLimit-Reset"]) <= answered_at + 62
    assert refused.headers["x-ratelimit-reset-requests"] == rate_limits._duration(wait_s)
    assert "x-should-retry" not in refused.headers


def test_every_answer_of_a_known_caller_carries_the_limits(new: New) -> None:
    api = new("free", "live")
    answers = [
        api.chat("hi", max_tokens=5),
        api.chat("hi", stream=True, max_tokens=5),
        api.post("/chat/completions", b"{"),
        api.post("/chat/completions", {"model": "gpt-4"}),
        api.get("/models"),
        api.get("/models/nothing"),
        api.get("/usage"),
        api.post("/embeddings", {"model": "nomic-embed", "input": "a"}),
        api.chat("[[fault:500_html]] hi"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 400, 400, 200, 404, 200, 200, 502]
    for answer in answers:
        assert_has_headers(answer)
        answer.close()
    last = answers[-1].headers
    assert (last["X-RateLimit-Limit"], last["X-RateLimit-Remaining"]) == ("10", "4")
    assert (last["x-ratelimit-limit-requests"], last["x-ratelimit-remaining-requests"]) == ("10", "4")
    assert last["x-ratelimit-limit-tokens"] == "10000"
    assert 9_900 < int(last["x-ratelimit-remaining-tokens"]) < 10_000


def test_an_unknown_caller_has_no_limits_to_be_told(new: New) -> None:
    answer = new().client.get("/v1/models")
    assert answer.status_code == 401
    assert not [name for name, _ in answer.headers if "ratelimit" in name.lower()]


def test_401_comes_before_429(new: New, context: AppContext) -> None:
    api = new("few", "test")
    for _ in range(11):
        api.chat("hi")
    assert Api(api.client, api.key[:-1] + "!").chat("hi").status_code == 401


def test_reading_has_a_generous_limit_of_its_own(new: New) -> None:
    api = new("few", "test")
    for _ in range(11):
        api.chat("hi")
    assert api.chat("hi").status_code == 429
    answer = api.get("/models")
    assert answer.status_code == 200
    assert answer.headers["X-RateLimit-Remaining"] == "0"


def test_test_keys_have_six_hundred_requests_a_minute_and_say_so(new: New) -> None:
    api = new("free", "test", account="a-suite")
    live = new("free", "live", account="a-suite")
    answers = [api.chat("hi") for _ in range(601)]
    assert [answer.status_code for answer in answers] == [200] * 600 + [429]
    assert answers[0].headers["x-ratelimit-limit-requests"] == answers[0].headers["X-RateLimit-Limit"] == "600"
    assert answers[11].headers["x-ratelimit-remaining-requests"] == "588"
    assert error(answers[-1]) == (429, "rate_limit_exceeded", "requests_per_minute")
    assert "600 test requests a minute" in answers[-1].get_json()["error"]["message"]
    assert [live.chat("hi", max_tokens=1).status_code for _ in range(11)] == [200] * 10 + [429]


def test_a_429_is_rehearsed_far_below_the_limit_of_test_keys(new: New) -> None:
    refused = new("free", "test").chat("hi [test:error 429]")
    assert error(refused) == (429, "rate_limit_exceeded", "rate_limit_exceeded")
    assert refused.headers["x-ratelimit-remaining-requests"] == "599"
    assert refused.headers["Retry-After"]


def test_test_and_live_requests_have_windows_of_their_own(new: New) -> None:
    test = new("few", "test", account="both-modes")
    live = new("free", "live", account="both-modes")
    for _ in range(11):
        test.chat("hi")
    assert live.chat("hi", max_tokens=1).status_code == 200


def test_all_keys_of_an_account_use_up_one_window(new: New) -> None:
    first, second = new("few", "test", account="two-keys"), new("few", "test", account="two-keys")
    answers = [api.chat("hi").status_code for _ in range(6) for api in (first, second)]
    assert sorted(answers) == [200] * 10 + [429] * 2


def test_a_key_may_have_a_smaller_window_of_its_own(new: New) -> None:
    small = new("few", "test", account="small-key", requests_per_minute=2)
    other = new("few", "test", account="small-key")
    answers = [small.chat("hi") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[1].headers["X-RateLimit-Limit"] == "2"
    assert "This key's own 2 requests a minute" in answers[2].get_json()["error"]["message"]
    assert other.chat("hi").headers["X-RateLimit-Remaining"] == "7"


def test_a_used_up_day_is_429_until_midnight_and_not_to_be_retried(new: New) -> None:
    api = new("free", "live", tokens_per_day=60)
    while (refused := api.chat("[[tokens:30]] a long answer", max_tokens=100)).status_code == 200:
        pass
    assert error(refused) == (429, "rate_limit_exceeded", "tokens_per_day")
    now = datetime.now(UTC)
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    assert abs((midnight - now).total_seconds() - int(refused.headers["Retry-After"])) <= 1
    assert refused.headers["x-should-retry"] == "false"
    assert int(refused.headers["x-ratelimit-remaining-tokens"]) < 60
    assert "h" in refused.headers["x-ratelimit-reset-tokens"] or "m" in refused.headers["x-ratelimit-reset-tokens"]


def test_prepaid_requests_need_credits(new: New, context: AppContext) -> None:
    api = new("payg", "live", account="prepaid")
    assert error(api.chat("hi")) == (402, "insufficient_credits", "insufficient_credits")
    made.credit(context.store, "prepaid", nanousd("1"))
    answer = api.chat("hi", max_tokens=5)
    assert answer.status_code == 200
    assert answer.headers["x-ratelimit-limit-tokens"] == "100000"


def test_counters_that_cannot_be_reached_are_503_never_passage(new: New, monkeypatch: pytest.MonkeyPatch) -> None:
    api = new("few", "test")

    def fail(*_: Any, **__: Any) -> bool:
        raise StorageError(ConnectionError("gone"))

    monkeypatch.setattr(rate_limits.limiter.limiter.storage, "acquire_entry", fail)
    for answer in (api.chat("hi"), api.get("/models")):
        assert error(answer) == (503, "api_error", "unavailable")
        assert answer.headers["Retry-After"] == "1"


@pytest.fixture
def away(tmp_path: Path, fake_ollama: FakeOllama) -> Iterator[Flask]:
    app = make_app(tmp_path, fake_ollama)
    yield app
    app.extensions["llmrack"].engines.live.close()


def test_a_database_that_cannot_be_reached_is_503(away: Flask, tmp_path: Path) -> None:
    context = away.extensions["llmrack"]
    api = Api(away.test_client(), issue(context, "", "test"))
    context.store.engine.dispose()
    (tmp_path / "llmrack.db").rename(tmp_path / "gone.db")
    (tmp_path / "llmrack.db").mkdir()
    answer = api.chat("hi")
    assert error(answer) == (503, "api_error", "unavailable")
    assert answer.headers["Retry-After"] == "2"


def test_durations_are_written_as_openai_writes_them() -> None:
    assert [rate_limits._duration(seconds) for seconds in (0, 8, 90, 3600, 26_000)] == [
        "0s",
        "8s",
        "1m30s",
        "1h0m0s",
        "7h13m20s",
    ]
