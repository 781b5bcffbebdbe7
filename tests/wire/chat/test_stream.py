"""The chunks of a chat completion, whatever lines the model server sends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmrack.errors import InvalidRequest, UpstreamError
from llmrack.wire.ollama import Reply
from tests.wire.support import WEATHER, call, chat_ask, end, events, say

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def streamed(replies: list[Reply], **fields: Any) -> list[Any]:
    stream = chat_ask(stream=True, **fields).open_stream("chatcmpl-6dffd80d", 1776587146)
    return events(b"".join(stream.feed(0, [reply]) for reply in replies) + stream.close())


def deltas(chunks: list[Any]) -> list[Any]:
    return [chunk["choices"][0]["delta"] for chunk in chunks if chunk != "[DONE]" and chunk["choices"]]


def text_of(chunks: list[Any]) -> str:
    return "".join(delta.get("content", "") for delta in deltas(chunks))


def calls_of(chunks: list[Any]) -> list[Any]:
    return [made for delta in deltas(chunks) for made in delta.get("tool_calls", ())]


def finish_reason(chunks: list[Any]) -> str:
    assert chunks[-1] == "[DONE]"
    return str([chunk for chunk in chunks[:-1] if chunk["choices"]][-1]["choices"][0]["finish_reason"])


def test_text_has_the_captured_bytes() -> None:
    stream = chat_ask(stream=True).open_stream("chatcmpl-6dffd80d", 1776587146)
    assert stream.feed(0, [say("Here"), say(' "it"\n')]) == (
        b'data: {"id":"chatcmpl-6dffd80d","object":"chat.completion.chunk","created":1776587146,'
        b'"model":"llama-3.1-8b","choices":[{"index":0,"delta":{"role":"assistant","content":"Here"},'
        b'"finish_reason":null}]}\n\n'
        b'data: {"id":"chatcmpl-6dffd80d","object":"chat.completion.chunk","created":1776587146,'
        b'"model":"llama-3.1-8b","choices":[{"index":0,"delta":{"role":"assistant","content":" \\"it\\"\\n"},'
        b'"finish_reason":null}]}\n\n'
    )
    assert stream.feed(0, [end()]) == b""
    assert stream.close() == (
        b'data: {"id":"chatcmpl-6dffd80d","object":"chat.completion.chunk","created":1776587146,'
        b'"model":"llama-3.1-8b","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
        b"data: [DONE]\n\n"
    )


def test_text_on_the_last_line_is_not_lost() -> None:
    assert text_of(streamed([say("a"), end("b")])) == "ab"


def test_an_empty_answer_still_says_whose_it_is() -> None:
    assert deltas(streamed([end()])) == [{"role": "assistant", "content": ""}, {}]


@pytest.mark.parametrize(("reason", "finish"), [("stop", "stop"), ("length", "length"), (None, "stop"), ("", "stop")])
def test_the_reason_for_the_end_is_passed_on(reason: str | None, finish: str) -> None:
    assert finish_reason(streamed([say("a"), end(reason=reason)])) == finish


def test_usage_comes_only_when_asked_for_between_the_finish_and_done() -> None:
    assert all("usage" not in chunk for chunk in streamed([say("a"), end()])[:-1])
    chunks = streamed([say("a"), end(prompt_eval_cached_count=10)], stream_options={"include_usage": True})
    assert chunks[-1] == "[DONE]"
    assert chunks[-3]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-2] == {
        "id": "chatcmpl-6dffd80d",
        "object": "chat.completion.chunk",
        "created": 1776587146,
        "model": "llama-3.1-8b",
        "choices": [],
        "usage": {
            "prompt_tokens": 18,
            "completion_tokens": 4,
            "total_tokens": 22,
            "prompt_tokens_details": {"cached_tokens": 10},
        },
    }


@pytest.mark.parametrize(
    "lines",
    [
        [say(tool_calls=[call(city="Paris"), call(city="Rome")]), end()],
        [say(tool_calls=[call(city="Paris")]), say(tool_calls=[call(city="Rome")]), end()],
        [say(tool_calls=[call(city="Paris")]), end()],
        [Reply(message=say(tool_calls=[call(city="Paris"), call(city="Rome")]).message, done=True, done_reason="stop")],
        [say(tool_calls=[call(index=None, city="Paris"), call(index=None, city="Rome")]), end()],
    ],
    ids=["one-line", "two-lines", "single", "on-the-last-line", "no-indexes"],
)
def test_calls_are_numbered_named_and_whole_wherever_they_come(lines: list[Reply]) -> None:
    chunks = streamed(lines, tools=[WEATHER])
    calls = calls_of(chunks)
    assert [made["index"] for made in calls] == list(range(len(calls)))
    assert len({made["id"] for made in calls}) == len(calls)
    assert [json.loads(made["function"]["arguments"])["city"] for made in calls] == ["Paris", "Rome"][: len(calls)]
    assert calls[0]["function"]["arguments"] == '{"city": "Paris"}'
    assert all(made["type"] == "function" and made["id"].endswith(f"_{made['index']}") for made in calls)
    assert finish_reason(chunks) == "tool_calls"


def test_prose_before_a_call_is_kept() -> None:
    chunks = streamed([say("Let me look."), say(tool_calls=[call(city="Paris")]), end()], tools=[WEATHER])
    assert text_of(chunks) == "Let me look."
    assert len(calls_of(chunks)) == 1


def test_a_cut_answer_says_length_even_with_calls() -> None:
    chunks = streamed([say(tool_calls=[call(city="Paris")]), end(reason="length")], tools=[WEATHER])
    assert finish_reason(chunks) == "length"


def test_parallel_tool_calls_false_yields_one() -> None:
    lines = [say(tool_calls=[call(city="Paris"), call(city="Rome")]), say(tool_calls=[call(city="Oslo")]), end()]
    chunks = streamed(lines, tools=[WEATHER], parallel_tool_calls=False)
    assert len(calls_of(chunks)) == 1


def test_a_forced_call_written_as_text_becomes_a_call() -> None:
    lines = [say('{"name": "get_'), say('weather", "arguments": {"city"'), say(': "Paris"}}'), end()]
    chunks = streamed(lines, tools=[WEATHER], tool_choice="required")
    assert text_of(chunks) == ""
    assert calls_of(chunks)[0]["function"] == {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    assert finish_reason(chunks) == "tool_calls"


def test_a_forced_call_that_the_server_parsed_itself_is_taken_and_its_text_is_dropped() -> None:
    lines = [say("{"), say(tool_calls=[call(city="Paris"), call(city="Rome")]), end()]
    chunks = streamed(lines, tools=[WEATHER], tool_choice="required")
    assert text_of(chunks) == ""
    assert len(calls_of(chunks)) == 1


def test_a_forced_call_cut_at_its_length_is_shown_as_the_text_it_is() -> None:
    chunks = streamed([say('{"name": "get_'), end(reason="length")], tools=[WEATHER], tool_choice="required")
    assert text_of(chunks) == '{"name": "get_'
    assert calls_of(chunks) == []
    assert finish_reason(chunks) == "length"


@pytest.mark.parametrize(
    "text",
    ["Sorry.", '{"name": "other", "arguments": {}}', '{"name": "get_weather", "arguments": []}', '{"name": "get_wea'],
)
def test_a_forced_call_that_did_not_come_is_an_error(text: str) -> None:
    with pytest.raises(UpstreamError, match="not what was asked for"):
        streamed([say(text), end()], tools=[WEATHER], tool_choice="required")


def test_a_format_beside_tools_streams_the_answer_and_turns_a_written_call_into_one() -> None:
    asked = {
        "tools": [WEATHER],
        "response_format": {"type": "json_schema", "json_schema": {"name": "c", "schema": CITY, "strict": True}},
    }
    answer = streamed([say('{"'), say('city": '), say('"Paris"}'), end()], **asked)
    assert text_of(answer) == '{"city": "Paris"}'
    assert [delta.get("content") for delta in deltas(answer)] == ['{"city": ', '"Paris"}', None]
    called = streamed([say('{"name":"get_'), say('weather","arguments":{"city":"Paris"}}'), end()], **asked)
    assert text_of(called) == ""
    assert calls_of(called)[0]["function"]["name"] == "get_weather"


@pytest.mark.parametrize(
    ("asked", "text", "is_fine"),
    [
        ({"type": "json_object"}, '{"a": 1}', True),
        ({"type": "json_object"}, "[1]", False),
        ({"type": "json_object"}, '{"a": ', False),
        ({"type": "json_object"}, '{"a": NaN}', False),
        ({"type": "json_object"}, "", False),
        ({"type": "json_schema", "json_schema": {"schema": CITY}}, '{"city": 1}', True),
        ({"type": "json_schema", "json_schema": {"schema": CITY}}, "Paris", False),
        ({"type": "json_schema", "json_schema": {"schema": CITY, "strict": True}}, '{"city": "Paris"}', True),
        ({"type": "json_schema", "json_schema": {"schema": CITY, "strict": True}}, '{"city": 1}', False),
        ({"type": "text"}, "anything", True),
    ],
)
def test_a_stream_ends_in_success_only_when_the_format_holds(asked: Any, text: str, is_fine: bool) -> None:
    lines = [say(text[:3]), say(text[3:]), end()]
    if is_fine:
        assert text_of(streamed(lines, response_format=asked)) == text
    else:
        with pytest.raises(UpstreamError) as caught:
            streamed(lines, response_format=asked)
        assert caught.value.code == "invalid_answer"


def test_a_format_that_was_cut_at_its_length_is_a_success_that_says_so() -> None:
    chunks = streamed([say('{"a"'), end(reason="length")], response_format={"type": "json_object"})
    assert finish_reason(chunks) == "length"


def test_reasoning_has_its_own_deltas() -> None:
    lines = [say(thinking="Hmm"), say("So", thinking="."), say(" be it"), end()]
    chunks = streamed(lines, model="deepseek-r1-8b")
    assert [delta.get("reasoning_content") for delta in deltas(chunks)[:2]] == ["Hmm", "."]
    assert text_of(chunks) == "So be it"
    assert "content" not in deltas(chunks)[0]


def test_logprobs_stand_beside_their_text_and_none_are_lost() -> None:
    entry = {"token": "lo", "logprob": -0.12, "bytes": [108, 111], "top_logprobs": [{"token": "lo", "logprob": -0.12}]}
    bare = {"token": "é"}
    lines = [say("lo"), say(), end()]
    lines[0].logprobs, lines[1].logprobs = [entry], [bare]
    chunks = streamed(lines, logprobs=True, top_logprobs=1)
    told = [chunk["choices"][0]["logprobs"] for chunk in chunks[:-1]]
    assert told == [
        {"content": [{**entry, "top_logprobs": [{"token": "lo", "logprob": -0.12, "bytes": [108, 111]}]}]},
        {"content": [{"token": "é", "logprob": 0.0, "bytes": [195, 169], "top_logprobs": []}]},
        None,
    ]


def test_an_error_line_is_an_error_also_after_text() -> None:
    stream = chat_ask(stream=True).open_stream("x", 1)
    stream.feed(0, [say("a")])
    with pytest.raises(UpstreamError, match="stopped"):
        stream.feed(0, [Reply(error="llama runner process has unexpectedly stopped")])
    with pytest.raises(InvalidRequest) as caught:
        stream.feed(0, [Reply(error='{"error":{"message":"request exceeds the available context size"}}')])
    assert caught.value.code == "context_length_exceeded"


def test_a_failure_ends_the_stream_without_done() -> None:
    stream = chat_ask(stream=True).open_stream("chatcmpl-1", 5)
    assert events(stream.failure(UpstreamError("It broke.", code="upstream_reset"))) == [
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 5,
            "model": "llama-3.1-8b",
            "choices": [{"index": 0, "delta": {}, "finish_reason": "error"}],
            "error": {"message": "It broke.", "type": "api_error", "param": None, "code": "upstream_reset"},
        },
        {"error": {"message": "It broke.", "type": "api_error", "param": None, "code": "upstream_reset"}},
    ]


def test_counts_are_the_servers_or_else_what_was_seen() -> None:
    ask = chat_ask(stream=True)
    stream = ask.open_stream("x", 1)
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens, stream.delivered) == (0, 0, 0)
    stream.feed(0, [say("a"), say("b")])
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (ask.prompt_tokens, 2)
    stream.feed(0, [end(prompt_eval_count=9, eval_count=3)])
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (9, 3)


@pytest.mark.parametrize("nonsense", [None, -1, 10**12])
def test_missing_or_impossible_counts_fall_back_to_what_was_seen(nonsense: int | None) -> None:
    ask = chat_ask(stream=True)
    stream = ask.open_stream("x", 1)
    stream.feed(0, [say("a"), say("b"), end(prompt_eval_count=nonsense, eval_count=nonsense)])
    assert stream.usage.completion_tokens == 2
    assert 0 < stream.usage.prompt_tokens <= ask.prompt_tokens


def test_held_text_counts_as_delivered_only_once_it_is_sent() -> None:
    stream = chat_ask(stream=True, tools=[WEATHER], tool_choice="required").open_stream("x", 1)
    stream.feed(0, [say('{"name":"get_weather",'), say('"arguments":{"city":"Paris"}}')])
    assert stream.delivered == 0
    stream.feed(0, [end()])
    stream.close()
    assert stream.delivered > 0
