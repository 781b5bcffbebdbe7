"""A chat completion as one JSON object."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmrack.errors import UpstreamError
from llmrack.wire.ollama import Reply
from tests.wire.support import WEATHER, call, chat_ask, end, say

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
STRICT = {"type": "json_schema", "json_schema": {"name": "c", "schema": CITY, "strict": True}}


def answered(replies: list[Reply], **fields: Any) -> Any:
    plain = chat_ask(**fields).open_plain("chatcmpl-68247b8b", 1776587088)
    plain.feed(0, replies)
    assert plain.repair(30) is None
    return json.loads(plain.body())


def test_an_answer_has_the_captured_bytes() -> None:
    plain = chat_ask(model="phi-3-mini").open_plain("chatcmpl-68247b8b", 1776587088)
    plain.feed(0, [say("PON")])
    plain.feed(0, [])
    plain.feed(0, [end("G.")])
    assert plain.body() == (
        b'{"id":"chatcmpl-68247b8b","object":"chat.completion","created":1776587088,"model":"phi-3-mini",'
        b'"choices":[{"index":0,"message":{"role":"assistant","content":"PONG."},"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":18,"completion_tokens":4,"total_tokens":22}}'
    )


def test_a_call_has_empty_content_and_arguments_as_text() -> None:
    choice = answered([end(), end()], tools=[WEATHER])["choices"][0]
    assert choice["finish_reason"] == "stop"
    choice = answered([say(tool_calls=[call(city="Zürich")]), end()], tools=[WEATHER])["choices"][0]
    made = choice["message"].pop("tool_calls")[0]
    assert choice == {"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "tool_calls"}
    assert made["function"] == {"name": "get_weather", "arguments": '{"city": "Zürich"}'}
    assert made["type"] == "function"


def test_call_ids_differ_between_answers_and_carry_their_index() -> None:
    ids = set()
    for number in range(20):
        plain = chat_ask(tools=[WEATHER]).open_plain(f"chatcmpl-{number}", 1)
        plain.feed(0, [say(tool_calls=[call(city="A"), call(city="B")]), end()])
        made = json.loads(plain.body())["choices"][0]["message"]["tool_calls"]
        assert [one["id"].split("_")[::2] for one in made] == [["call", "0"], ["call", "1"]]
        ids |= {one["id"] for one in made}
    assert len(ids) == 40


def test_reasoning_stands_beside_the_answer() -> None:
    message = answered([say(thinking="Hm"), say("Yes"), end()], model="deepseek-r1-8b")["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "Yes", "reasoning_content": "Hm"}


def test_logprobs_are_there_only_when_asked_for() -> None:
    line = say("a")
    line.logprobs = [{"token": "a", "logprob": -1.5, "bytes": [97], "top_logprobs": []}]
    assert "logprobs" not in answered([line, end()])["choices"][0]
    assert answered([line, end()], logprobs=True)["choices"][0]["logprobs"] == {"content": line.logprobs}


def test_a_forced_call_becomes_a_call() -> None:
    text = '{"name": "get_weather", "arguments": {"city": "Paris"}}'
    choice = answered([say(text), end()], tools=[WEATHER], tool_choice="required")["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == ""
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"city": "Paris"}'


def test_a_model_without_tools_can_still_be_forced_to_call_one() -> None:
    forced = {"type": "function", "function": {"name": "get_weather"}}
    ask = chat_ask(model="phi-3-mini", tools=[WEATHER], tool_choice=forced)
    body = ask.bodies(100)[0]
    assert ask.ignored == ()
    assert "tools" not in body
    assert body["format"]["properties"]["name"] == {"enum": ["get_weather"]}
    assert body["messages"][0]["role"] == "system"
    assert "Get current weather for a city" in body["messages"][0]["content"]


@pytest.mark.parametrize(
    ("fields", "bad", "good"),
    [
        ({"response_format": STRICT}, '{"city": 1}', '{"city": "Rome"}'),
        ({"response_format": {"type": "json_object"}}, "No.", '{"city": "Rome"}'),
        (
            {"tools": [WEATHER], "tool_choice": "required"},
            "No.",
            '{"name": "get_weather", "arguments": {"city": "Rome"}}',
        ),
    ],
)
def test_a_wrong_answer_is_asked_for_once_more_and_not_charged_twice(fields: Any, bad: str, good: str) -> None:
    ask = chat_ask(max_tokens=50, **fields)
    plain = ask.open_plain("chatcmpl-1", 1)
    plain.feed(0, [say(bad), end(prompt_eval_count=20, eval_count=5)])
    body = plain.repair(30)
    assert body is not None
    assert body["messages"][-2] == {"role": "assistant", "content": bad}
    assert body["messages"][-1]["role"] == "user"
    assert body["format"] == ask.bodies(50)[0]["format"]
    assert body["options"]["num_predict"] == 30
    plain.feed(0, [say(good), end(prompt_eval_count=60, eval_count=7)])
    assert plain.repair(30) is None
    answer = json.loads(plain.body())
    assert "Rome" in str(answer["choices"][0]["message"])
    assert answer["usage"] == {"prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27}


def test_an_answer_that_is_wrong_twice_is_an_upstream_error() -> None:
    plain = chat_ask(response_format=STRICT).open_plain("chatcmpl-1", 1)
    plain.feed(0, [say("{}"), end()])
    assert plain.repair(30) is not None
    plain.feed(0, [say("{}"), end()])
    assert plain.repair(30) is None
    with pytest.raises(UpstreamError, match="'city' is a required property"):
        plain.body()


def test_a_strict_tool_holds_forced_arguments_to_its_schema() -> None:
    strict = {"type": "function", "function": {**WEATHER["function"], "strict": True}}
    plain = chat_ask(tools=[strict], tool_choice="required").open_plain("chatcmpl-1", 1)
    plain.feed(0, [say('{"name": "get_weather", "arguments": {"city": 7}}'), end()])
    assert plain.repair(30) is not None


def test_a_cut_answer_is_not_repaired_and_says_length() -> None:
    choice = answered([say('{"ci'), end(reason="length")], response_format=STRICT)["choices"][0]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["content"] == '{"ci'
