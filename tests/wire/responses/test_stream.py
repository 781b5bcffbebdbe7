"""The events of a streamed response, whatever lines the model server sends."""

from __future__ import annotations

from typing import Any

import pytest

from llmrack.errors import ApiError, InvalidRequest, UpstreamError
from tests.wire.responses.support import CREATED, PATCH, WEATHER, ask, events, plain, streamed
from tests.wire.support import call, end, say

OPENING = ["response.created", "response.in_progress"]
MESSAGE = [
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
]
REASONING = [
    "response.output_item.added",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done",
    "response.reasoning_summary_part.done",
    "response.output_item.done",
]
FUNCTION = [
    "response.output_item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
]
CUSTOM = [name.replace("function_call_arguments", "custom_tool_call_input") for name in FUNCTION]


def kinds(found: list[Any]) -> list[str]:
    return [event["type"] for event in found]


def test_text_has_the_documented_bytes() -> None:
    stream = ask(stream=True).open_stream("resp_7", CREATED)
    stream.feed(0, [])
    assert stream.feed(0, [say('"Hi"\n')]).partition(b"event: response.output_text.delta\n")[2] == (
        b'data: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_7_0","output_index":0,'
        b'"content_index":0,"delta":"\\"Hi\\"\\n","logprobs":[]}\n\n'
    )


def test_the_events_of_a_text() -> None:
    found = streamed(say("Hel"), say("lo"), end())
    delta = ["response.output_text.delta"]
    assert kinds(found) == [*OPENING, *MESSAGE[:2], *delta, *delta, *MESSAGE[3:], "response.completed"]
    assert [event["response"]["status"] for event in found[:2]] == ["in_progress"] * 2
    assert found[0]["response"]["usage"] is None
    assert found[2]["item"] == {
        "id": "msg_7_0",
        "type": "message",
        "status": "in_progress",
        "role": "assistant",
        "content": [],
    }
    assert "".join(event["delta"] for event in found if "delta" in event) == found[6]["text"] == "Hello"
    assert found[-1]["response"]["output"] == [found[-2]["item"]]
    assert found[-1]["response"]["usage"]["total_tokens"] == 22


CASES: list[tuple[str, list[Any], list[str]]] = [
    ("nothing at all", [], MESSAGE[:2] + MESSAGE[3:]),
    ("reasoning and then text", [say(thinking="hm"), say("x")], REASONING + MESSAGE),
    ("reasoning alone", [say(thinking="hm")], REASONING + MESSAGE[:2] + MESSAGE[3:]),
    ("a call", [say(tool_calls=[call()])], FUNCTION),
    ("two calls", [say(tool_calls=[call(), call("patch", input="x")])], FUNCTION + CUSTOM),
    ("text, a call, and text again", [say("x"), say(tool_calls=[call()]), say("y")], MESSAGE + FUNCTION + MESSAGE),
    (
        "reasoning between calls",
        [say(thinking="a"), say(tool_calls=[call()]), say(thinking="b"), say(tool_calls=[call()])],
        REASONING + FUNCTION + REASONING + FUNCTION,
    ),
]


@pytest.mark.parametrize(("replies", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_every_change_closes_an_item_and_opens_the_next(replies: list[Any], expected: list[str]) -> None:
    found = streamed(*replies, end(), tools=[WEATHER, PATCH])
    assert kinds(found) == [*OPENING, *expected, "response.completed"]
    done = [event for event in found if event["type"] == "response.output_item.done"]
    assert [event["output_index"] for event in done] == list(range(len(done)))
    assert [event["item"] for event in done] == found[-1]["response"]["output"]
    assert len({event["item"]["id"] for event in done}) == len(done)


def test_a_stream_and_a_whole_answer_end_alike() -> None:
    replies = [say(thinking="hm"), say("x"), say(tool_calls=[call(city="Oslo")]), end()]
    fields: dict[str, Any] = {"tools": [WEATHER], "include": ["reasoning.encrypted_content"]}
    last = streamed(*replies, **fields)[-1]["response"]
    whole = plain(*replies, **fields)
    assert {**last, "completed_at": None} == {**whole, "completed_at": None}


def test_an_answer_that_was_cut_ends_incomplete() -> None:
    *_, item, last = streamed(say("Hel"), end(reason="length"))
    assert item["item"]["status"] == "incomplete"
    assert (last["type"], last["response"]["status"]) == ("response.incomplete", "incomplete")
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


def test_a_written_call_is_never_shown_as_text() -> None:
    pieces = ['{"name": "get_', 'weather", "arguments"', ': {"city": "Oslo"}}']
    found = streamed(*map(say, pieces), end(), tools=[WEATHER], tool_choice="required")
    assert kinds(found) == [*OPENING, *FUNCTION, "response.completed"]
    assert found[4]["arguments"] == '{"city": "Oslo"}'


def test_log_probabilities_go_with_their_piece_and_with_the_whole() -> None:
    entry = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
    line = say("Hi")
    line.logprobs = [entry]
    found = streamed(line, line, end(), top_logprobs=2)
    assert [event["logprobs"] for event in found if event["type"].endswith("text.delta")] == [[entry], [entry]]
    assert found[-1]["response"]["output"][0]["content"][0]["logprobs"] == [entry, entry]


def test_a_silent_stream_repeats_that_it_is_in_progress() -> None:
    stream = ask(stream=True).open_stream("resp_7", CREATED)
    found = events(stream.feed(0, []) + stream.ping("a model") + stream.feed(0, [say("x")]) + stream.ping(""))
    assert kinds(found) == [*OPENING, OPENING[1], *MESSAGE[:3], OPENING[1]]
    assert found[2] == {**found[1], "sequence_number": 2}


FAILURES: list[tuple[ApiError, str]] = [
    (UpstreamError("The model server stopped. Retry is safe.", code="upstream_died"), "server_error"),
    (InvalidRequest("Too long.", param="input", code="context_length_exceeded"), "context_length_exceeded"),
]


@pytest.mark.parametrize(("error", "code"), FAILURES)
def test_a_broken_stream_ends_for_both_kinds_of_readers(error: ApiError, code: str) -> None:
    stream = ask(stream=True).open_stream("resp_7", CREATED)
    sent = stream.feed(0, [say(thinking="hm"), say("x")])
    *_, told, failed = events(sent + stream.failure(error))
    assert told == {
        "type": "error",
        "sequence_number": told["sequence_number"],
        "code": error.code,
        "message": error.message,
        "param": error.param,
        "error": error.body(),
    }
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert failed["response"]["error"] == {"code": code, "message": error.message}
    assert [item["type"] for item in failed["response"]["output"]] == ["reasoning"]
    assert failed["response"]["usage"]["total_tokens"] > 0


def test_a_stream_that_breaks_before_anything_was_sent_is_opened_first() -> None:
    stream = ask(stream=True).open_stream("resp_7", CREATED)
    assert kinds(events(stream.failure(UpstreamError("no")))) == [*OPENING, "error", "response.failed"]
