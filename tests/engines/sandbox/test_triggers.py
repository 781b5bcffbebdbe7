"""The triggers of test mode: each row of the table does what it says."""

import json
from typing import Any

import pytest

from llmrack import errors
from llmrack.engines.base import EngineRequest
from llmrack.engines.sandbox import TRIGGERS, Sandbox, Trigger
from llmrack.engines.sandbox.triggers import read
from llmrack.wire.ollama import Reply

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    for name, description in (("get_weather", "Current weather"), ("get_time", "Local time"))
]
slept_s: list[float] = []
engine = Sandbox(("m",), pace=0, sleep=slept_s.append)


def call() -> EngineRequest:
    return EngineRequest("req_test", silence_s=60)


def run(text: str, **more: Any) -> list[Reply]:
    slept_s.clear()
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
    return [reply for batch in engine.chat(body, call()) for reply in batch]


def text_of(replies: list[Reply]) -> str:
    return "".join(reply.message.content for reply in replies if reply.message)


def names(replies: list[Reply]) -> list[str]:
    return [made.function.name for reply in replies if reply.message for made in reply.message.tool_calls or []]


FAILING = {error.status: error for error in errors.ERRORS if error is not errors.MethodRefused}


def test_every_error_a_request_can_cause_has_a_trigger() -> None:
    rows = {row.name for row in TRIGGERS}
    assert {f"error {status}" for status in FAILING} <= rows


@pytest.mark.parametrize("status", sorted(FAILING))
@pytest.mark.parametrize("endpoint", ["chat", "generate", "embed"])
def test_an_error_trigger_raises_its_class_and_says_it_was_rehearsed(status: int, endpoint: str) -> None:
    text = f"Hello [test:error {status}]"
    body = {"messages": [{"role": "user", "content": text}], "prompt": text, "input": ["fine", text]}
    with pytest.raises(FAILING[status]) as raised:
        list(getattr(engine, endpoint)(body, call()))
    assert "rehearsed" in raised.value.message
    assert (raised.value.retry_after_s is not None) == (status in (429, 503))


@pytest.mark.parametrize(
    ("text", "seconds"), [("[test:error 429]", 1), ("[test:error 429 7]", 7), ("[test:error 503 900]", 60)]
)
def test_retry_after_can_be_chosen(text: str, seconds: int) -> None:
    with pytest.raises(errors.ApiError) as raised:
        run(text)
    assert raised.value.retry_after_s == seconds


def test_mid_stream_means_some_pieces_and_then_a_failure() -> None:
    body = {"messages": [{"role": "user", "content": "Tell me a story [test:error mid-stream]"}]}
    replies = engine.chat(body, call())
    assert len(next(replies)) == 5
    with pytest.raises(errors.UpstreamError):
        next(replies)
    with pytest.raises(errors.UpstreamError):
        list(engine.chat({**body, "stream": False}, call()))
    with pytest.raises(errors.UpstreamError):
        engine.embed({"input": ["[test:error mid-stream]"]}, call())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("[test:slow-first-token]", 3),
        ("[test:slow-first-token 0.5]", 0.5),
        ("[test:slow-first-token 5s]", 5),
        ("[test:slow-first-token 1e9]", 60),
    ],
)
def test_the_first_token_waits(text: str, seconds: float) -> None:
    run(text)
    assert sum(slept_s) == pytest.approx(seconds)
    run(text, stream=False)
    assert sum(slept_s) == pytest.approx(seconds)
    slept_s.clear()
    engine.embed({"input": [text]}, call())
    assert sum(slept_s) == pytest.approx(seconds)


def test_slow_tokens_come_two_a_second() -> None:
    replies = run("Count from 1 to 5 [test:slow-tokens]")
    assert text_of(replies) == "Here it goes: 1, 2, 3, 4, 5."
    assert sum(slept_s) == pytest.approx(0.5 * (len(replies) - 2))


def test_length_cuts_the_answer() -> None:
    replies = run("Tell me a story [test:length]")
    assert (len(replies) - 1, replies[-1].done_reason) == (8, "length")


@pytest.mark.parametrize(
    ("text", "tokens"), [("[test:long 2000]", 2000), ("[test:long]", 500), ("[test:long 99999]", 10_000)]
)
def test_long_answers_have_exactly_so_many_tokens(text: str, tokens: int) -> None:
    replies = run(text)
    assert (len(replies) - 1, replies[-1].eval_count, replies[-1].done_reason) == (tokens, tokens, "stop")


def test_empty_answers_nothing() -> None:
    [last] = run("Say nothing [test:empty]")
    assert last.message is not None
    assert (last.message.content, last.done_reason, last.eval_count) == ("", "stop", 0)


def test_a_tool_is_called_by_name() -> None:
    assert names(run("Hello [test:tool get_time]", tools=TOOLS)) == ["get_time"]
    assert "get_weather, get_time" in text_of(run("[test:tool missing]", tools=TOOLS))
    assert "none" in text_of(run("[test:tool missing]"))


def test_tools_can_be_declined() -> None:
    assert names(run("Weather in Paris? [test:no-tool]", tools=TOOLS)) == []


def test_two_tools_are_called_at_once() -> None:
    assert names(run("Time and weather in Paris? [test:parallel-tools]", tools=TOOLS)) == ["get_weather", "get_time"]
    made = run("Weather in Paris and in Rome? [test:parallel-tools]", tools=TOOLS[:1])[-2].message
    assert made is not None
    assert [each.function.arguments for each in made.tool_calls or []] == [{"city": "Paris"}, {"city": "Rome"}]
    assert [each.function.index for each in made.tool_calls or []] == [0, 1]
    assert len({each.id for each in made.tool_calls or []}) == 2


def test_a_rehearsed_tool_loop_ends() -> None:
    messages = [
        {"role": "user", "content": "Hello [test:tool get_time]"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c", "function": {"name": "get_time", "arguments": {}}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "noon"},
    ]
    replies = [reply for batch in engine.chat({"messages": messages, "tools": TOOLS}, call()) for reply in batch]
    assert text_of(replies) == "According to get_time: noon."


@pytest.mark.parametrize(
    "shape", [None, "json", {"type": "object", "properties": {"a": {"type": "string"}}}, {"type": "integer"}]
)
def test_invalid_json_does_not_parse(shape: Any) -> None:
    replies = run("List three colours [test:invalid-json]", format=shape)
    text = text_of(replies)
    assert replies[-1].done_reason == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)


def test_reasoning_thinks_unasked() -> None:
    replies = run("What is 6 times 7? [test:reasoning]")
    assert replies[0].message is not None
    assert replies[0].message.thinking


def test_unicode_comes_one_code_point_a_piece() -> None:
    replies = run("Hello [test:unicode]")
    pieces = [reply.message.content for reply in replies[:-1] if reply.message]
    assert {len(piece) for piece in pieces} == {1}
    assert {"\u0301", "\u200d", "𝒳"} <= set(pieces)
    assert all(piece.encode() for piece in pieces)


@pytest.mark.parametrize(
    "written", ["nonsense", "error 418", "error", "long many", "empty 3", "tool", "error 4290", "long nan"]
)
def test_an_unknown_trigger_lists_those_that_exist(written: str) -> None:
    text = text_of(run(f"[test:{written}]", tools=TOOLS))
    assert f"[test:{written}]" in text
    assert all(row.text in text for row in TRIGGERS)


def test_triggers_combine_and_leave_the_prompt() -> None:
    replies = run("Reply with the single word PONG [test:slow-first-token 2] [TEST: reasoning ]")
    assert text_of(replies) == "PONG."
    assert sum(slept_s) == pytest.approx(2)
    assert replies[0].message is not None
    assert replies[0].message.thinking


def test_only_the_last_user_message_triggers() -> None:
    messages = [
        {"role": "system", "content": "[test:error 500]"},
        {"role": "user", "content": "[test:error 500]"},
        {"role": "assistant", "content": "[test:error 500]"},
        {"role": "user", "content": "hi"},
    ]
    assert list(engine.chat({"messages": messages}, call()))


@pytest.mark.parametrize("row", TRIGGERS, ids=lambda row: row.name)
def test_every_example_of_the_table_is_understood(row: Trigger) -> None:
    assert f"[test:{row.name}" in row.example
    rehearsal, rest = read(row.example)
    assert rehearsal.unknown is None
    assert "[test:" not in rest
    assert rehearsal != read("nothing")[0]
    assert row.does.endswith(".")
    assert set(row.works_on) <= {"chat", "completions", "embeddings"}


def test_text_without_triggers_stays_as_it_is() -> None:
    assert read("a  [b]\n c ")[1] == "a  [b]\n c "
