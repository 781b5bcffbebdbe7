"""Anthropic's turns as a chat's messages."""

from __future__ import annotations

from typing import Any

import pytest

from llmrack.errors import InvalidRequest
from llmrack.wire.messages import conversation, tools
from tests.wire.support import CATALOG

LLAMA = CATALOG.get("llama-3.1-8b")
assert LLAMA is not None
USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def result(content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "toolu_1", "content": content, **more}


CASES: list[tuple[str, list[Any], list[Any]]] = [
    (
        "blocks of text are joined",
        [user({"type": "text", "text": "a"}, {"type": "text", "text": "b"})],
        [("user", "a\n\nb")],
    ),
    (
        "results come before the text beside them",
        [user({"type": "text", "text": "go on"}, result("18"))],
        [("tool", "18"), ("user", "go on")],
    ),
    ("an empty result is empty text", [user(result(None))], [("tool", "")]),
    ("a failed result says so", [user(result("no file", is_error=True))], [("tool", "Error: no file")]),
    ("a result's image is left out", [user(result([PNG]))], [("tool", conversation.NO_IMAGE)]),
    (
        "a late system message follows the user's",
        [{"role": "user", "content": "hi"}, {"role": "system", "content": "Be brief"}],
        [("user", "hi\n\n<system-reminder>\nBe brief\n</system-reminder>")],
    ),
    ("a first one is the system text", [{"role": "system", "content": "a"}, user()], [("system", "a")]),
    (
        "a document is its text",
        [user({"type": "document", "title": "T", "source": {"type": "text", "data": "d"}})],
        [("user", "T\n\nd")],
    ),
    (
        "what another server did stays readable",
        [
            {
                "role": "assistant",
                "content": [{"type": "server_tool_use", "name": "web_search", "input": {"query": "x"}}],
            }
        ],
        [("assistant", "[server_tool_use: {'query': 'x'}]")],
    ),
]


@pytest.mark.parametrize(("turns", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_turns_become_messages(turns: list[Any], expected: list[Any]) -> None:
    found = conversation.read(turns, None, LLAMA).messages
    assert [(message["role"], message["content"]) for message in found] == expected


def test_reasoning_and_calls_of_an_earlier_turn_go_with_it() -> None:
    blocks = [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "ok"}, USE]
    (said,) = conversation.read([{"role": "assistant", "content": blocks}], None, LLAMA).messages
    assert (said["reasoning_content"], said["content"]) == ("hm", "ok")
    assert said["tool_calls"][0]["function"] == {"name": "f", "arguments": {"a": 1}}


def test_the_line_that_changes_from_request_to_request_is_left_out() -> None:
    system = "x-anthropic-billing-header: cc_version=1; n=7\nYou are an agent"
    assert conversation.read([user({"type": "text", "text": "hi"})], system, LLAMA).messages[0]["content"] == (
        "You are an agent"
    )


@pytest.mark.parametrize(
    ("block", "param"),
    [
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, "messages[0].content[0].source.type"),
        ({"type": "image"}, "messages[0].content[0].source"),
        ({"type": "document", "source": {"type": "base64", "data": ""}}, "messages[0].content[0].source.type"),
        ({"type": "tool_result"}, "messages[0].content[0].tool_use_id"),
        (7, "messages[0].content[0]"),
    ],
)
def test_a_bad_block_is_named(block: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        conversation.read([user(block)], None, LLAMA)
    assert caught.value.param == param


def test_deferred_tools_are_offered_once_they_are_found_and_typed_ones_are_listed() -> None:
    known = [{"name": "a"}, {"name": "b", "defer_loading": True}, {"type": "bash_20250124", "name": "bash"}]
    assert [t["function"]["name"] for t in tools.read(known, set())[0]] == ["a"]
    assert [t["function"]["name"] for t in tools.read(known, {"b"})[0]] == ["a", "b"]
    search = [*known, {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}]
    offered, _, skipped = tools.read(search, set())
    assert [t["function"]["name"] for t in offered] == ["a", "b"]
    assert skipped == ["tools[2]", "tools[3]"]
