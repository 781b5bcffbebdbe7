"""Items of every kind as the messages that Ollama is told."""

from __future__ import annotations

from typing import Any

import pytest

from llmrack.errors import InvalidRequest
from llmrack.wire.responses import reasoning
from tests.wire.responses.support import ask, messages

USER = {"role": "user", "content": "u"}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1}'}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "18"}
PNG = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
IMAGE = {"type": "input_image", "image_url": PNG}


def developer(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": text}]}


def said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


def called(name: str = "f", arguments: Any = None, id: str = "c1", text: str = "") -> dict[str, Any]:
    function = {"index": 0, "name": name, "arguments": {"a": 1} if arguments is None else arguments}
    return {"role": "assistant", "content": text, "tool_calls": [{"id": id, "function": function}]}


def result(text: str, name: str = "f", id: str = "c1") -> dict[str, Any]:
    return {"role": "tool", "content": text, "tool_name": name, "tool_call_id": id}


CASES: list[tuple[str, list[Any], list[Any]]] = [
    ("a type may be missing", [USER], [said("user", "u")]),
    (
        "what is said before the user is one system message",
        [{"role": "system", "content": "a"}, developer("b"), USER],
        [said("system", "a\n\nb"), said("user", "u")],
    ),
    (
        "a developer after the user is a paragraph of the user",
        [USER, developer("d")],
        [said("user", "u\n\nd")],
    ),
    (
        "a developer after an answer belongs to the next user",
        [USER, said("assistant", "x"), developer("d"), said("user", "v")],
        [said("user", "u"), said("assistant", "x"), said("user", "d\n\nv")],
    ),
    (
        "a developer at the end is heard",
        [USER, said("assistant", "x"), developer("d")],
        [said("user", "u"), said("assistant", "x"), said("user", "d")],
    ),
    (
        "a developer between a call and its result comes after the result",
        [USER, CALL, developer("d"), OUTPUT],
        [said("user", "u"), called(), result("18\n\nd")],
    ),
    (
        "text and calls side by side are one message",
        [USER, said("assistant", "x"), CALL, OUTPUT],
        [said("user", "u"), called(text="x"), result("18")],
    ),
    (
        "a message between a call and its result belongs to that turn",
        [USER, CALL, said("assistant", "x"), OUTPUT],
        [said("user", "u"), called(text="x"), result("18")],
    ),
    (
        "a call after a result is a turn of its own",
        [USER, CALL, OUTPUT, {**CALL, "call_id": "c2"}, {**OUTPUT, "call_id": "c2"}],
        [said("user", "u"), called(), result("18"), called(id="c2"), result("18", id="c2")],
    ),
    (
        "arguments that are no JSON stay what they were",
        [USER, {**CALL, "arguments": "{oops"}],
        [said("user", "u"), called(arguments={"_raw": "{oops"})],
    ),
    (
        "a custom call has its text as the one argument",
        [USER, {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "*** x"}],
        [said("user", "u"), called("patch", {"input": "*** x"})],
    ),
    (
        "a call in a namespace has the name that the model knows",
        [USER, {**CALL, "namespace": "mcp"}],
        [said("user", "u"), called("mcp__f")],
    ),
    (
        "a shell call is a call",
        [
            USER,
            {"type": "local_shell_call", "call_id": "c1", "action": {"command": ["ls"]}},
            {"type": "local_shell_call_output", "id": "c1", "output": "a.txt"},
        ],
        [said("user", "u"), called("local_shell", {"command": ["ls"]}), result("a.txt", "local_shell")],
    ),
    (
        "a shell's output may be an object",
        [
            USER,
            {"type": "shell_call", "call_id": "c1", "action": {"a": 1}},
            {"type": "shell_call_output", "call_id": "c1", "output": [{"stdout": "a"}]},
        ],
        [said("user", "u"), called("shell"), result('[{"stdout": "a"}]', "shell")],
    ),
    (
        "parts of an output are joined",
        [USER, CALL, {**OUTPUT, "output": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]}],
        [said("user", "u"), called(), result("a\nb")],
    ),
    (
        "an image in an output is told of to a model that sees none",
        [USER, CALL, {**OUTPUT, "output": [IMAGE]}],
        [said("user", "u"), called(), result("[image omitted: the model takes no images]")],
    ),
    (
        "items of tools that run elsewhere are left out",
        [USER, {"type": "web_search_call", "id": "ws_1"}, {"type": "compaction", "encrypted_content": "x"}],
        [said("user", "u")],
    ),
    (
        "a message stays in its turn while one of two results is out",
        [USER, CALL, {**CALL, "call_id": "c2"}, OUTPUT, said("assistant", "x"), {**OUTPUT, "call_id": "c2"}],
        [
            said("user", "u"),
            {
                "role": "assistant",
                "content": "x",
                "tool_calls": [
                    {"id": "c1", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}},
                    {"id": "c2", "function": {"index": 1, "name": "f", "arguments": {"a": 1}}},
                ],
            },
            result("18"),
            result("18", id="c2"),
        ],
    ),
    (
        "a call that nobody answers ends with the user",
        [USER, CALL, said("user", "v"), said("assistant", "x"), developer("d"), said("user", "w")],
        [said("user", "u"), called(), said("user", "v"), said("assistant", "x"), said("user", "d\n\nw")],
    ),
    (
        "a refusal is text",
        [USER, {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}],
        [said("user", "u"), said("assistant", "no")],
    ),
]


@pytest.mark.parametrize(("items", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_items_become_messages(items: list[Any], expected: list[Any]) -> None:
    assert messages(items) == expected


def test_instructions_come_before_what_developers_say() -> None:
    assert messages([developer("d"), USER], instructions="i")[0] == said("system", "i\n\nd")


@pytest.mark.parametrize(
    ("item", "thinking"),
    [
        ({"summary": [{"type": "summary_text", "text": "t"}]}, "t"),
        ({"summary": [], "content": [{"type": "reasoning_text", "text": "t"}]}, "t"),
        ({"summary": [], "encrypted_content": reasoning.wrapped("whole")}, "whole"),
        ({"summary": [{"type": "summary_text", "text": "t"}], "encrypted_content": "gAAAA"}, "t"),
        ({"summary": [], "encrypted_content": "gAAAA"}, None),
        ({"summary": [], "encrypted_content": "llmrack1.?"}, None),
        ({"summary": [], "encrypted_content": None}, None),
    ],
)
def test_reasoning_goes_with_the_turn_that_follows_it(item: dict[str, Any], thinking: str | None) -> None:
    items = [USER, {"type": "reasoning", "id": "rs_1", **item}, said("assistant", "x")]
    told = messages(items, model="deepseek-r1-8b")
    assert told[1:] == [{**said("assistant", "x"), **({"thinking": thinking} if thinking else {})}]


def test_what_is_left_out_is_listed_by_its_place() -> None:
    parsed = ask(
        input=[
            USER,
            {"type": "web_search_call"},
            {**CALL, "arguments": "{"},
            {**OUTPUT, "output": [IMAGE]},
            {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"},
        ]
    )
    assert parsed.ignored == (
        "input[1]:web_search_call",
        "input[2].arguments",
        "input[3].output[0]:input_image",
        "input[4].encrypted_content",
    )


def test_images_reach_a_model_that_sees_them() -> None:
    parts = [{"type": "input_text", "text": "what?"}, IMAGE]
    told = messages([{"role": "user", "content": parts}, CALL, {**OUTPUT, "output": [IMAGE]}], model="llava-7b")
    data = PNG.partition(",")[2]
    assert told[0] == {**said("user", "what?"), "images": [data]}
    assert told[2] == {**result(""), "images": [data]}


BAD: list[tuple[list[Any], str]] = [
    ([USER, {"role": "tool", "content": "x"}], "input[1].role"),
    ([USER, {"type": ["x"]}], "input[1].type"),
    ([{"role": "user", "content": [{"type": "input_text"}]}], "input[0].content[0].text"),
    (
        [developer("d"), {"role": "user", "content": [{"type": "input_text", "text": "a"}, IMAGE]}],
        "input[1].content[1]",
    ),
    ([{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}], "input[0].content[0].file_id"),
    ([{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}], "input[0].content[0]"),
    ([USER, {**CALL, "name": "no spaces"}], "input[1].name"),
    ([USER, {**CALL, "call_id": None}], "input[1].call_id"),
    ([USER, {**CALL, "arguments": 7}], "input[1].arguments"),
    ([USER, OUTPUT], "input[1].call_id"),
    ([USER, CALL, {**OUTPUT, "output": None}], "input[2].output"),
    ([{"type": "web_search_call"}], "input"),
    ([USER, {"type": "reasoning", "summary": "x"}], "input[1].summary"),
]


@pytest.mark.parametrize(("items", "param"), BAD)
def test_a_bad_item_is_refused_by_its_own_place(items: list[Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(input=items)
    assert caught.value.param == param
    assert "messages" not in caught.value.message


def test_an_item_that_is_referred_to_is_answered_with_what_to_send() -> None:
    with pytest.raises(InvalidRequest, match="Send the items themselves, and store: false") as caught:
        ask(input=[USER, {"type": "item_reference", "id": "msg_1"}])
    assert (caught.value.param, caught.value.code) == ("input[1]", "unsupported_parameter")
