"""GET /v1/usage and GET /v1/requests/{id}: sums that are the sums of the receipts, and nobody else's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask import Flask

from llmrack.inference.context import AppContext
from llmrack.money import nanousd
from tests.blueprints.v1.conftest import Api, issue
from tests.support import made


@pytest.fixture
def ada(app: Flask, context: AppContext, request: pytest.FixtureRequest) -> Api:
    account = made.account(context.store, request.node.name, datetime.now(UTC), context.plans.get("pro"))
    return Api(app.test_client(), issue(context, account.name, "live"))


def sibling(api: Api, context: AppContext, name: str, mode: str = "live", **facts: object) -> Api:
    return Api(api.client, issue(context, name, mode, **facts))


def test_usage_is_the_sum_of_the_receipts(ada: Api) -> None:
    answers = [ada.chat("hi", max_tokens=9), ada.chat("hi", model="llama-3.1-8b"), ada.chat("hi")]
    answers.append(ada.post("/embeddings", {"model": "nomic-embed", "input": "a b c"}))
    receipts = [ada.get(f"/requests/{answer.headers['x-request-id']}").get_json() for answer in answers]
    usage = ada.get("/usage").get_json()
    assert [row["model"] for row in usage["data"]] == ["llama-3.1-8b", "nomic-embed", "phi-3-mini"]
    assert usage["total"]["requests"] == 4
    for name in ("prompt_tokens", "completion_tokens"):
        assert usage["total"][name] == sum(receipt["charge"][name] for receipt in receipts)
        assert usage["total"][name] == sum(row[name] for row in usage["data"])
        assert usage["total"][name] == sum(answer.get_json()["usage"].get(name, 0) for answer in answers)
    assert usage["total"]["cost_nanousd"] == sum(receipt["charge"]["cost_nanousd"] for receipt in receipts) > 0


def test_usage_has_this_shape(ada: Api, context: AppContext) -> None:
    answer = ada.chat("hi", max_tokens=9).get_json()["usage"]
    usage = ada.get("/usage").get_json()
    today = datetime.now(UTC).date().isoformat()
    amounts = {
        "requests": 1,
        **{name: answer[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")},
        "cost_nanousd": 40 * answer["total_tokens"],
        "cost_usd": f"{40 * answer['total_tokens'] / 10**9:.9f}".rstrip("0"),
    }
    key = usage["data"][0]["key"]
    assert key["name"] == "live key"
    assert usage["data"] == [{"day": today, "model": "phi-3-mini", "key": key, **amounts}]
    assert usage["total"] == amounts
    assert (usage["object"], usage["mode"], usage["plan"], usage["to"]) == ("usage", "live", "pro", today)
    assert usage["credits"] is None
    rows = {row["name"]: (row["scope"], row["limit"], row["remaining"]) for row in usage["limits"]}
    assert rows == {
        "concurrent_requests": ("account", 10, 10),
        "requests_per_minute": ("account", 100, 99),
        "tokens_per_day": ("account", 550_000, 550_000 - answer["total_tokens"]),
    }


def test_a_receipt_says_what_happened_and_what_it_cost(ada: Api) -> None:
    answer = ada.chat("hi", user="u-17", max_tokens=9)
    request_id, tokens = answer.headers["x-request-id"], answer.get_json()["usage"]
    receipt = ada.get(f"/requests/{request_id}").get_json()
    assert {name: receipt[name] for name in ("id", "object", "mode", "model", "endpoint", "stream", "user")} == {
        "id": request_id,
        "object": "request",
        "mode": "live",
        "model": "phi-3-mini",
        "endpoint": "chat",
        "stream": False,
        "user": "u-17",
    }
    assert (receipt["state"], receipt["outcome"]) == ("settled", "completed")
    assert receipt["meaning"] == "The whole answer was delivered."
    assert receipt["usage"]["total_tokens"] == tokens["total_tokens"]
    assert set(receipt["times_ms"]) == {"queue", "load", "prompt", "generation", "first_token", "total"}
    assert receipt["times_ms"]["total"] > 0
    assert receipt["charge"]["cost_nanousd"] == 40 * tokens["total_tokens"]
    assert receipt["charge"]["why"] == "The answer was delivered."


def test_a_failure_before_the_first_token_costs_nothing_and_says_so(ada: Api) -> None:
    answer = ada.chat("[[fault:500_html]] hi")
    assert answer.status_code == 502
    receipt = ada.get(f"/requests/{answer.headers['x-request-id']}").get_json()
    assert receipt["outcome"] == "upstream_error"
    assert (receipt["charge"]["cost_nanousd"], receipt["charge"]["cost_usd"]) == (0, "0")
    assert receipt["charge"]["why"] == "Nothing was delivered, so nothing is charged."
    assert ada.get("/usage").get_json()["total"]["total_tokens"] == 0


def test_test_and_live_keys_do_not_see_each_others_usage(
    ada: Api, context: AppContext, request: pytest.FixtureRequest
) -> None:
    test = sibling(ada, context, request.node.name, "test")
    live_id, test_id = (api.chat("hi", max_tokens=5).headers["x-request-id"] for api in (ada, test))
    receipt = test.get(f"/requests/{test_id}").get_json()
    assert (receipt["charge"]["cost_nanousd"], receipt["charge"]["why"]) == (0, "Test mode is free.")
    assert test.get("/usage").get_json()["total"]["requests"] == 1
    assert ada.get("/usage").get_json()["total"]["requests"] == 1
    for api, foreign in ((ada, test_id), (test, live_id)):
        assert api.get(f"/requests/{foreign}").status_code == 404


def test_another_accounts_request_is_not_found(ada: Api, test_mode: Api, live: Api) -> None:
    request_id = ada.chat("hi", max_tokens=5).headers["x-request-id"]
    for api in (live, test_mode):
        answer = api.get(f"/requests/{request_id}")
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "request_not_found")
    assert ada.get("/requests/req_nothing").status_code == 404


def test_reading_usage_needs_its_permission(ada: Api, context: AppContext, request: pytest.FixtureRequest) -> None:
    other = sibling(ada, context, request.node.name, permissions=("inference", "models"))
    for path in ("/usage", "/requests/req_1"):
        assert other.get(path).status_code == 403


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("to=20261122", "to"),
        ("from=", "from"),
        ("from=2026-02-02&to=2026-02-01", "from"),
        ("to=0001-01-05", "to"),
    ],
)
def test_a_wrong_day_is_400_and_named(ada: Api, query: str, param: str) -> None:
    answer = ada.get(f"/usage?{query}")
    assert (answer.status_code, answer.get_json()["error"]["param"]) == (400, param)


def test_days_outside_the_range_are_left_out(ada: Api) -> None:
    ada.chat("hi", max_tokens=5)
    assert ada.get("/usage?from=2020-01-01&to=2020-12-31").get_json()["data"] == []


def test_prepaid_accounts_see_their_credits(app: Flask, context: AppContext) -> None:
    made.account(context.store, "credits", datetime.now(UTC), context.plans.get("payg"))
    made.credit(context.store, "credits", nanousd("2"))
    api = Api(app.test_client(), issue(context, "credits", "live"))
    tokens = api.chat("hi", max_tokens=5).get_json()["usage"]["total_tokens"]
    left = 2 * 10**9 - 40 * tokens
    assert api.get("/usage").get_json()["credits"] == {
        "remaining_nanousd": left,
        "remaining_usd": f"{left / 10**9:.9f}".rstrip("0"),
        "held_nanousd": 0,
        "held_usd": "0",
    }
