"""Ollama's lines as Anthropic's events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmrack.errors import InvalidRequest, RateLimited, UpstreamError
from llmrack.wire.messages import errors
from llmrack.wire.messages import request as messages_request
from llmrack.wire.messages.request import MessagesRequest
from llmrack.wire.ollama import Function, Message, Reply, ToolCall
from llmrack.wire.parsed import Features
from tests.wire.support import CATALOG, encoded

END = Reply(done=True, done_reason="stop", prompt_eval_count=12, prompt_eval_cached_count=4, eval_count=7)
TOOL = {"name": "f", "input_schema": {"type": "object"}}


def asked(**more: Any) -> MessagesRequest:
    body = {"model": "deepseek-r1-8b", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}], **more}
    return messages_request.parse(encoded(body), CATALOG, Features())


def events(data: bytes) -> list[dict[str, Any]]:
    found = []
    for event in data.decode().strip().split("\n\n"):
        kind, line = event.split("\n")
        body = json.loads(line.removeprefix("data: "))
        assert kind == f"event: {body['type']}"
        found.append(body)
    return found


def streamed(*replies: Reply, **more: Any) -> list[dict[str, Any]]:
    stream = asked(stream=True, **more).open_stream("msg_1", 0)
    return events(b"".join(stream.feed(0, [reply]) for reply in replies) + stream.close())


def test_one_block_is_open_at_a_time_and_every_change_of_kind_closes_it() -> None:
    call = ToolCall(Function("f", {"a": 1}), "c1")
    found = streamed(
        Reply(message=Message(thinking="hm")),
        Reply(message=Message(content="a")),
        Reply(message=Message(content="b")),
        Reply(message=Message(tool_calls=[call])),
        Reply(message=Message(tool_calls=[ToolCall(Function("g", {}))])),
        END,
        tools=[TOOL, {"name": "g", "input_schema": {"type": "object"}}],
        model="llama-3.1-8b",
    )
    assert [(one["type"], one.get("index")) for one in found] == [
        ("message_start", None),
        *[
            ("content_block_start", 0),
            ("content_block_delta", 0),
            ("content_block_delta", 0),
            ("content_block_stop", 0),
        ],
        *[
            ("content_block_start", 1),
            ("content_block_delta", 1),
            ("content_block_delta", 1),
            ("content_block_stop", 1),
        ],
        *[("content_block_start", 2), ("content_block_delta", 2), ("content_block_stop", 2)],
        *[("content_block_start", 3), ("content_block_delta", 3), ("content_block_stop", 3)],
        ("message_delta", None),
        ("message_stop", None),
    ]
    deltas = [one["delta"] for one in found if one["type"] == "content_block_delta"]
    assert deltas[:2] == [
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": "llmrack"},
    ]
    assert deltas[-2:] == [
        {"type": "input_json_delta", "partial_json": '{"a": 1}'},
        {"type": "input_json_delta", "partial_json": "{}"},
    ]
    calls = [one["content_block"] for one in found if one.get("content_block", {}).get("type") == "tool_use"]
    assert [call["input"] for call in calls] == [{}, {}]
    assert len({call["id"] for call in calls}) == 2


def test_the_end_has_the_true_counts_without_the_cached_part_and_the_reason() -> None:
    for reason, eval_count, stop in (("stop", 7, "end_turn"), ("length", 100, "max_tokens")):
        last = Reply(
            done=True, done_reason=reason, prompt_eval_count=12, prompt_eval_cached_count=4, eval_count=eval_count
        )
        *_, delta, _ = streamed(Reply(message=Message(content="a")), last)
        assert delta["delta"] == {"stop_reason": stop, "stop_sequence": None}
        assert delta["usage"] == {
            "input_tokens": 8,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 4,
            "output_tokens": eval_count,
        }


def test_an_empty_answer_is_a_message_without_blocks() -> None:
    assert [one["type"] for one in streamed(END)] == ["message_start", "message_delta", "message_stop"]
    plain = asked().open_plain("msg_1", 0)
    plain.feed(0, [END])
    assert (json.loads(plain.body())["content"], json.loads(plain.body())["stop_reason"]) == ([], "end_turn")


def test_a_whole_answer_has_the_blocks_of_the_stream() -> None:
    plain = asked().open_plain("msg_1", 0)
    plain.feed(0, [Reply(message=Message(thinking="hm")), Reply(message=Message(content="a")), END])
    assert json.loads(plain.body())["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "llmrack"},
        {"type": "text", "text": "a"},
    ]


def test_a_broken_stream_ends_with_an_error_event_and_silence_with_pings() -> None:
    stream = asked(stream=True).open_stream("msg_1", 0)
    assert events(stream.ping("queued position=3")) == [{"type": "ping"}]
    (failure,) = events(stream.failure(UpstreamError("It broke.")))
    assert failure == {"type": "error", "error": {"type": "api_error", "message": "It broke."}}


def test_a_model_thinks_only_when_it_is_told_to() -> None:
    assert asked().think is False
    assert asked(thinking={"type": "adaptive"}).think is True
    assert asked(thinking={"type": "enabled", "budget_tokens": 9}, output_config={"effort": "low"}).think == "low"
    assert asked(thinking={"type": "adaptive"}, model="phi-3-mini").ignored == ("thinking",)


@pytest.mark.parametrize(
    ("error", "kind", "message", "is_final"),
    [
        (
            InvalidRequest(
                "The input is longer than the context of x: it has 36012 tokens, the context holds 32768. Send less.",
                code="context_length_exceeded",
            ),
            "invalid_request_error",
            "prompt is too long: 36012 tokens > 32768 maximum",
            False,
        ),
        (InvalidRequest("Wrong.", param="tools[0]"), "invalid_request_error", "tools[0]: Wrong.", False),
        (RateLimited("Used up.", code="tokens_per_day"), "rate_limit_error", "Used up.", True),
        (RateLimited("Slower.", code="requests_per_minute"), "rate_limit_error", "Slower.", False),
    ],
)
def test_failures_say_what_programs_act_on(error: Any, kind: str, message: str, is_final: bool) -> None:
    assert json.loads(errors.envelope(error)) == {"type": "error", "error": {"type": kind, "message": message}}
    assert errors.is_final(error) is is_final
