"""Anthropic's own client against the Messages API in test mode."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import anthropic
import pytest
import requests

from tests.support.testmode import Started

TOOL: dict[str, Any] = {
    "name": "get_weather",
    "description": "Get current weather for a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture(scope="module")
def claude(sandboxed: Started) -> Iterator[anthropic.Anthropic]:
    url = sandboxed.base_url.removesuffix("/v1")
    with anthropic.Anthropic(base_url=url, api_key=sandboxed.key, max_retries=0, timeout=20) as client:
        yield client


def asked(prompt: str, **more: Any) -> dict[str, Any]:
    return {"model": "llama-3.1-8b", "max_tokens": 4000, "messages": [{"role": "user", "content": prompt}], **more}


def test_a_message_has_text_a_reason_and_true_counts(claude: anthropic.Anthropic, sandboxed: Started) -> None:
    answer = claude.messages.create(**asked("Reply with the single word PONG", system="Be brief."))
    assert (answer.content[0].type, answer.content[0].text) == ("text", "PONG.")  # type: ignore[union-attr]
    assert (answer.stop_reason, answer.role, answer.model) == ("end_turn", "assistant", "llama-3.1-8b")
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 0
    receipt = requests.get(
        f"{sandboxed.base_url}/requests/{answer.id.replace('msg_', 'req_')}",
        headers={"x-api-key": sandboxed.key},
        timeout=10,
    ).json()
    assert (receipt["endpoint"], receipt["outcome"]) == ("messages", "completed")
    assert receipt["usage"]["completion_tokens"] == answer.usage.output_tokens


def test_a_streamed_message_is_the_same_as_a_whole_one(claude: anthropic.Anthropic) -> None:
    whole = claude.messages.create(**asked("Count from 1 to 5"))
    with claude.messages.stream(**asked("Count from 1 to 5")) as stream:
        kinds = [event.type for event in stream]
        streamed = stream.get_final_message()
    assert streamed.content[0].text == whole.content[0].text  # type: ignore[union-attr]
    assert (streamed.stop_reason, streamed.usage.input_tokens) == (whole.stop_reason, whole.usage.input_tokens)
    assert streamed.usage.output_tokens == whole.usage.output_tokens
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_tool_is_called_and_its_result_is_taken(claude: anthropic.Anthropic, is_streamed: bool) -> None:
    request = asked("What is the weather in Paris?", tools=[TOOL], tool_choice={"type": "any"})
    if is_streamed:
        with claude.messages.stream(**request) as stream:
            answer = stream.get_final_message()
    else:
        answer = claude.messages.create(**request)
    (call,) = answer.content
    assert (call.type, answer.stop_reason) == ("tool_use", "tool_use")
    assert call.name == "get_weather"  # type: ignore[union-attr]
    assert set(call.input) == {"city"}  # type: ignore[union-attr]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "18 degrees"}  # type: ignore[union-attr]
    turns = [
        *request["messages"],
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": [result]},
    ]
    after = claude.messages.create(**asked("", tools=[TOOL]) | {"messages": turns})
    assert (after.content[0].type, after.stop_reason) == ("text", "end_turn")


def test_counting_tokens_is_an_estimate_that_costs_no_request(claude: anthropic.Anthropic) -> None:
    counted = claude.messages.count_tokens(model="llama-3.1-8b", messages=[{"role": "user", "content": "hi " * 400}])
    assert 200 < counted.input_tokens < 1000


def test_failures_have_the_types_and_words_that_programs_act_on(
    claude: anthropic.Anthropic, sandboxed: Started
) -> None:
    with pytest.raises(anthropic.NotFoundError) as unknown:
        claude.messages.create(**asked("hi") | {"model": "claude-opus-5-5"})
    assert unknown.value.body["error"]["type"] == "not_found_error"  # type: ignore[index,call-overload]
    with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: \d+ tokens > \d+ maximum"):
        claude.messages.create(**asked("word " * 300_000))
    with pytest.raises(anthropic.BadRequestError, match=r"messages\[0\]\.content\[0\]"):
        claude.messages.create(**asked("") | {"messages": [{"role": "user", "content": [{"type": "audio"}]}]})
    url = sandboxed.base_url.removesuffix("/v1")
    wrong = anthropic.Anthropic(base_url=url, api_key="rl_test_wrong", max_retries=0)
    with pytest.raises(anthropic.AuthenticationError) as refused:
        wrong.messages.create(**asked("hi"))
    assert refused.value.response.headers["x-should-retry"] == "false"
    assert refused.value.response.headers["request-id"] == refused.value.response.headers["x-request-id"]


def test_limits_are_told_in_the_words_of_this_api_too(claude: anthropic.Anthropic) -> None:
    headers = claude.messages.with_raw_response.create(**asked("hi")).headers
    for what in ("requests", "tokens"):
        for part in ("limit", "remaining"):
            assert headers[f"anthropic-ratelimit-{what}-{part}"] == headers[f"x-ratelimit-{part}-{what}"]
        datetime.strptime(headers[f"anthropic-ratelimit-{what}-reset"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
