"""Budgets to the last token: what a client gets when its answer, or its prompt, is more than what is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from llmrack.inference.context import AppContext
from llmrack.metering import usage
from tests.blueprints.v1.conftest import Api, issue
from tests.support import made
from tests.support.fake_ollama import FakeOllama

_names = count(1)
PRICE = 40  # of phi-3-mini, in nano-dollars a token, prompt and answer alike
# Numbers that the tokenizer of the scripted Ollama counts as the real one does not: more than the prompt has bytes.
OVER = 200


@pytest.fixture
def new(app: Flask, context: AppContext) -> Callable[..., Api]:
    def make(plan: str = "free", credit: int = 0, **facts: Any) -> Api:
        name = f"budgets-{next(_names)}"
        made.account(context.store, name, datetime.now(UTC), context.plans.get(plan))
        if credit:
            made.credit(context.store, name, credit)
        return Api(app.test_client(), issue(context, name, "live", **facts))

    return make


New = Callable[..., Api]


@pytest.fixture(params=["first request of a process", "known model"])
def known(request: pytest.FixtureRequest, context: AppContext, live: Api) -> None:
    """What this process has learned of the model's prompts: nothing, or what a first answer taught."""
    context.prompts.__init__()  # type: ignore[misc]
    if request.param == "known model":
        live.chat("hi", max_tokens=1)


def remaining(api: Api) -> int:
    return min(row["remaining"] for row in api.get("/usage").get_json()["limits"] if row["name"] == "tokens_per_day")


def streamed(answer: Any) -> tuple[str, str, dict[str, int]]:
    """The text of a stream, its finish reason, and its usage."""
    events = [
        json.loads(line[6:]) for line in answer.get_data(as_text=True).split("\n\n") if line.startswith("data: {")
    ]
    choices = [choice for event in events for choice in event["choices"]]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    reasons = [choice["finish_reason"] for choice in choices if choice["finish_reason"]]
    return text, reasons[-1], next(event["usage"] for event in events if event.get("usage"))


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("max_tokens", [{}, {"max_tokens": 5000}], ids=["none", "5000"])
def test_an_answer_ends_with_length_at_the_last_token_of_the_day(
    new: New, known: None, is_stream: bool, max_tokens: dict[str, int]
) -> None:
    api = new(tokens_per_day=900)
    prompt = "[[tokens:2000]] a long story, please"
    if is_stream:
        answer = api.chat(prompt, stream=True, stream_options={"include_usage": True}, **max_tokens)
        text, reason, used = streamed(answer)
    else:
        body = api.chat(prompt, **max_tokens).get_json()
        text, reason, used = (
            body["choices"][0]["message"]["content"],
            body["choices"][0]["finish_reason"],
            body["usage"],
        )
    assert (reason, used["total_tokens"], remaining(api)) == ("length", 900, 0)
    assert text
    assert api.chat("hi").get_json()["error"]["code"] == "tokens_per_day"


def test_the_engine_is_told_to_stop_where_the_budget_ends(new: New, known: None, fake_ollama: FakeOllama) -> None:
    api = new(tokens_per_day=300)
    answer = api.chat("[[tag:stopped]][[tokens:5000]][[pace:0.001]] go on")
    assert answer.get_json()["choices"][0]["finish_reason"] == "length"
    assert answer.get_json()["usage"]["total_tokens"] == 300
    fake_ollama.wait_for("stopped", outcome="client_left")


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
def test_a_short_answer_asks_the_model_once(
    new: New, context: AppContext, live: Api, fake_ollama: FakeOllama, is_stream: bool
) -> None:
    live.chat("hi", max_tokens=1)
    api, tag = new(), f"once-{is_stream}"
    api.chat(f"[[tag:{tag}]] hi", stream=is_stream).get_data()
    assert len(fake_ollama.requests(tag)) == 1


@pytest.mark.parametrize("over", [4, OVER])
@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
def test_a_prompt_that_counts_more_than_its_estimate_overshoots_nothing(
    new: New, context: AppContext, over: int, is_stream: bool
) -> None:
    context.prompts.__init__()  # type: ignore[misc]
    api = new("business", tokens_per_day=2000)
    prompt = f"[[usage:{json.dumps({'prompt_eval_count': 26 + over})}]][[tokens:20]] hi"
    statuses = []
    while statuses[-1:] != [429]:
        answer = api.chat(prompt, stream=is_stream)
        answer.get_data()
        statuses.append(answer.status_code)
    assert 1990 - 26 - over < api.get("/usage").get_json()["total"]["total_tokens"] <= 2000
    assert statuses.count(200) > 5


def test_credits_pay_tokens_times_price_to_the_last(new: New, context: AppContext, known: None) -> None:
    api = new("payg", credit=700 * PRICE)
    prompt = f"[[usage:{json.dumps({'prompt_eval_count': 26 + OVER})}]][[tokens:3000]] hi"
    body = api.chat(prompt).get_json()
    assert (body["usage"]["total_tokens"], body["choices"][0]["finish_reason"]) == (700, "length")
    (receipt,) = receipts(context, api)
    assert receipt.cost_nanousd == 700 * PRICE
    assert api.chat("hi").status_code == 402


def receipts(context: AppContext, api: Api) -> list[Any]:
    with context.store.read() as connection:
        table = usage.Usage.__table__
        newest = select(table).order_by(table.c.created_at.desc()).limit(1)
        return list(connection.execute(newest))


def test_a_prompt_that_fits_by_its_count_is_served_though_its_bytes_do_not(new: New, known: None) -> None:
    """Two thousand words are twelve thousand bytes: more than the day has tokens, were each byte one."""
    api = new()
    answer = api.chat("[[tokens:5]]" + " words" * 2000)
    assert answer.status_code == 200
    assert 2000 < answer.get_json()["usage"]["prompt_tokens"] < 5000


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
def test_a_prompt_that_does_not_fit_by_its_count_is_refused_and_costs_nothing(
    new: New, known: None, fake_ollama: FakeOllama, is_stream: bool
) -> None:
    api = new(tokens_per_day=1000)
    prompt = f"[[tag:refused]][[usage:{json.dumps({'prompt_eval_count': 1200})}]]" + " words" * 300
    answer = api.chat(prompt, stream=is_stream)
    assert answer.status_code == 429
    assert answer.get_json()["error"]["code"] == "tokens_per_day"
    assert "needs 1,201 at least" in answer.get_json()["error"]["message"]
    assert remaining(api) == int(answer.headers["x-ratelimit-remaining-tokens"]) == 1000


def test_embeddings_that_count_more_than_is_left_are_refused_and_cost_nothing(new: New) -> None:
    api = new(tokens_per_day=100)
    text = f"[[usage:{json.dumps({'prompt_eval_count': 150})}]] hi"
    answer = api.post("/embeddings", {"model": "nomic-embed", "input": text})
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (429, "tokens_per_day")
    assert remaining(api) == 100


def test_a_tool_call_that_does_not_fit_ends_with_length_and_without_the_call(
    new: New, live: Api, fake_ollama: FakeOllama
) -> None:
    api = new(tokens_per_day=400)
    call = [{"name": "write", "arguments": {"text": "word " * 800}}]
    tools = [{"type": "function", "function": {"name": "write", "parameters": {"type": "object"}}}]
    prompt = fake_ollama.define("long call", calls=call)
    body = api.chat(prompt, tools=tools, model="llama-3.1-8b").get_json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert "tool_calls" not in body["choices"][0]["message"]
    assert api.get("/usage").get_json()["total"]["total_tokens"] <= 400


def test_a_structured_answer_that_does_not_fit_ends_with_length(new: New, known: None, fake_ollama: FakeOllama) -> None:
    api = new(tokens_per_day=200)
    prompt = fake_ollama.define("long text", text='{"a": "' + "b " * 900 + '"}')
    body = api.chat(prompt, response_format={"type": "json_object"}).get_json()
    assert (body["choices"][0]["finish_reason"], remaining(api)) == ("length", 0)


def test_several_prompts_share_what_is_left_to_the_last_token(new: New, known: None) -> None:
    api = new(tokens_per_day=600)
    prompts = ["[[tokens:1000]] a", "[[tokens:1000]] b"]
    body = api.post("/completions", {"model": "phi-3-mini", "prompt": prompts}).get_json()
    assert [choice["finish_reason"] for choice in body["choices"]] == ["length", "length"]
    assert body["usage"]["total_tokens"] <= 600
    assert api.get("/usage").get_json()["total"]["total_tokens"] == body["usage"]["total_tokens"]


def test_a_client_that_leaves_is_charged_the_counted_prompt(context: AppContext, new: New) -> None:
    context.prompts.__init__()  # type: ignore[misc]
    api = new(tokens_per_day=1000)
    answer = api.chat("[[tokens:100]] hi", stream=True)
    next(iter(answer.response))
    answer.close()
    (row,) = receipts(context, api)
    assert row.outcome == "client_gone"
    assert row.counted_prompt_tokens < 40


def test_a_refusal_and_its_headers_agree_with_usage_at_that_moment(new: New) -> None:
    api = new(tokens_per_day=400)
    for size in (60, 90, 20, 70):
        api.chat(f"[[tokens:{size}]] x", max_tokens=size)
        refused = api.chat("word " * 390, max_tokens=5)
        assert refused.status_code == 429
        left = remaining(api)
        assert int(refused.headers["x-ratelimit-remaining-tokens"]) == left
        assert f"has {left:,} left" in refused.get_json()["error"]["message"]


def test_a_refusal_by_the_minute_tells_the_tokens_of_that_moment(new: New, app: Flask) -> None:
    api = new()
    for _ in range(10):
        api.chat("[[tokens:3]] hi")
    other = Api(app.test_client(), api.key)
    first = other.chat("hi")
    assert first.get_json()["error"]["code"] == "requests_per_minute"
    assert int(first.headers["x-ratelimit-remaining-tokens"]) == remaining(api)
