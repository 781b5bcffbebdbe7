"""What Ollama is known to do with its lines, one row each, told the same whole and in chunks."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from llmrack.errors import UpstreamError
from llmrack.wire.ollama import Reply
from tests.wire.support import WEATHER, call, chat_ask, end, events, say, text_ask

PARIS = '{"city": "Paris"}'


def lines(*raw: str) -> list[Reply]:
    """Ollama's own lines, decoded as the engine decodes them."""
    return [msgspec.json.decode(line, type=Reply) for line in raw]


DONE = '{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","eval_count":2}'
ROWS: dict[str, tuple[list[Reply], dict[str, Any], dict[str, Any]]] = {
    "calls on a line before the last": (
        [say(tool_calls=[call(city="Paris")]), end()],
        {"tools": [WEATHER]},
        {"calls": [PARIS], "finish": "tool_calls"},
    ),
    "calls on the last line": (
        [Reply(message=say(tool_calls=[call(city="Paris")]).message, done=True, done_reason="stop")],
        {"tools": [WEATHER]},
        {"calls": [PARIS], "finish": "tool_calls"},
    ),
    "calls on several lines, all with the index 0": (
        [say(tool_calls=[call(city="Paris")]), say(tool_calls=[call(city="Paris")]), end()],
        {"tools": [WEATHER]},
        {"calls": [PARIS, PARIS], "finish": "tool_calls"},
    ),
    "a call without id, index and arguments": (
        lines('{"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"now"}}]}}', DONE),
        {"tools": [WEATHER]},
        {"calls": ["{}"], "finish": "tool_calls"},
    ),
    "text and a call on one line": (
        [say("Hm.", tool_calls=[call(city="Paris")]), end()],
        {"tools": [WEATHER]},
        {"text": "Hm.", "calls": [PARIS], "finish": "tool_calls"},
    ),
    "thinking and a call on one line": (
        [say(thinking="Hm.", tool_calls=[call(city="Paris")]), end()],
        {"model": "deepseek-r1-8b", "tools": [WEATHER]},
        {"reasoning": "Hm.", "calls": [PARIS], "finish": "tool_calls"},
    ),
    "thinking from a model that is not said to reason": (
        [say(thinking="Hm."), say("Yes"), end()],
        {},
        {"reasoning": "Hm.", "text": "Yes"},
    ),
    "thinking and text on one line": (
        [say("Yes", thinking="Hm."), end()],
        {"model": "deepseek-r1-8b"},
        {"reasoning": "Hm.", "text": "Yes"},
    ),
    "a call cut in the middle stays text": (
        [say('{"name": "get_wea'), end(reason="length")],
        {"tools": [WEATHER]},
        {"text": '{"name": "get_wea', "finish": "length"},
    ),
    "no done_reason": ([say("a"), end(reason=None)], {}, {"text": "a"}),
    "an unknown done_reason": ([say("a"), end(reason="load")], {}, {"text": "a"}),
    "counters left out": (
        lines('{"message":{"role":"assistant","content":"a"}}', '{"message":{"content":""},"done":true}'),
        {},
        {"text": "a", "completion_tokens": 1},
    ),
    "no message on a line": ([Reply(), say("a"), Reply(done=True, done_reason="stop")], {}, {"text": "a"}),
    "text on the last line": ([end("a")], {}, {"text": "a"}),
    "an empty answer": ([end()], {}, {"text": ""}),
    "a field nobody knows": (lines('{"message":{"content":"a","x":1},"remote_host":"h"}', DONE), {}, {"text": "a"}),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_quirk_reads_the_same_whole_and_in_chunks(name: str) -> None:
    replies, fields, expected = ROWS[name]
    told = {"text": "", "reasoning": "", "calls": [], "finish": "stop", **expected}
    tokens = told.pop("completion_tokens", None)

    plain = chat_ask(**fields).open_plain("chatcmpl-1", 1)
    plain.feed(0, replies)
    whole = json.loads(plain.body())
    choice = whole["choices"][0]
    message = choice["message"]
    assert {
        "text": message["content"],
        "reasoning": message.get("reasoning_content", ""),
        "calls": [made["function"]["arguments"] for made in message.get("tool_calls", ())],
        "finish": choice["finish_reason"],
    } == told
    assert tokens is None or whole["usage"]["completion_tokens"] == tokens

    stream = chat_ask(stream=True, **fields).open_stream("chatcmpl-1", 1)
    chunks = events(stream.feed(0, replies) + stream.close())
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
    assert {
        "text": "".join(delta.get("content", "") for delta in deltas),
        "reasoning": "".join(delta.get("reasoning_content", "") for delta in deltas),
        "calls": [made["function"]["arguments"] for delta in deltas for made in delta.get("tool_calls", ())],
        "finish": chunks[-2]["choices"][0]["finish_reason"],
    } == told
    assert [made["index"] for delta in deltas for made in delta.get("tool_calls", ())] == list(
        range(len(told["calls"]))
    )


def test_an_answer_without_its_last_line_is_never_a_success() -> None:
    """Ollama ends a stream that repeats one token for too long without `done: true`, under status 200."""
    plain = chat_ask().open_plain("chatcmpl-1", 1)
    plain.feed(0, [say("a")])
    stream = chat_ask(stream=True).open_stream("chatcmpl-1", 1)
    stream.feed(0, [say("a")])
    text = text_ask(prompt=["a", "b"]).open_plain("cmpl-1", 1)
    text.feed(0, [Reply(response="x", done=True)])
    for finish in (plain.body, stream.close, text.body):
        with pytest.raises(UpstreamError) as caught:
            finish()
        assert caught.value.code == "upstream_incomplete"
