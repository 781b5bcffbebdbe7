"""Tools on their way to the model, and their calls on the way back."""

from __future__ import annotations

from typing import Any

import pytest

from llmrack.errors import InvalidRequest
from llmrack.wire.ollama import Reply
from tests.wire.responses.support import PATCH, WEATHER, ask, messages, plain
from tests.wire.support import call, end, say

NAMESPACE: dict[str, Any] = {
    "type": "namespace",
    "name": "mcp",
    "description": "Tickets.",
    "tools": [
        {"type": "function", "name": "find", "description": "Finds.", "defer_loading": True},
        {"type": "custom", "name": "edit"},
    ],
}


def offered(tools: list[Any], **fields: Any) -> list[Any]:
    parsed = ask(tools=tools, **fields)
    body = parsed.bodies(parsed.output_tokens)[0]
    return [tool["function"] for tool in body.get("tools", [])]


def called(name: str, tools: list[Any], **arguments: Any) -> Any:
    item = plain(say(tool_calls=[call(name, **arguments)]), end(), tools=tools)["output"][0]
    assert (item.pop("status"), item.pop("call_id")[:5]) == ("completed", "call_")
    return item


def test_a_function_is_offered_as_it_is() -> None:
    assert offered([WEATHER]) == [
        {"name": "get_weather", "description": "", "parameters": WEATHER["parameters"]},
    ]


def test_a_custom_tool_is_a_function_of_one_text_and_its_grammar_is_told() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: A"}
    tool = offered([{**PATCH, "format": grammar}])[0]
    assert tool["description"] == "Change files.\n\nThe input must follow this lark grammar:\nstart: A"
    assert list(tool["parameters"]["properties"]) == tool["parameters"]["required"] == ["input"]


def test_members_of_a_namespace_are_offered_under_both_names() -> None:
    assert [(tool["name"], tool["description"]) for tool in offered([NAMESPACE])] == [
        ("mcp__find", "Tickets.\n\nFinds."),
        ("mcp__edit", ""),
    ]


def test_names_stay_short_and_different() -> None:
    long = "n" * 128
    twins = [{"type": "function", "name": "a" * 128}, {"type": "function", "name": "a" * 128}]
    names = [tool["name"] for tool in offered([{**NAMESPACE, "name": long}, *twins])]
    assert names == [long, "n" * 126 + "_2", "a" * 128, "a" * 126 + "_2"]


@pytest.mark.parametrize(
    ("name", "arguments", "item"),
    [
        (
            "get_weather",
            {"city": "Oslo"},
            {"type": "function_call", "name": "get_weather", "arguments": '{"city": "Oslo"}'},
        ),
        ("patch", {"input": "*** x"}, {"type": "custom_tool_call", "name": "patch", "input": "*** x"}),
        ("patch", {"diff": "*** x"}, {"type": "custom_tool_call", "name": "patch", "input": "*** x"}),
        ("patch", {"a": 1, "b": 2}, {"type": "custom_tool_call", "name": "patch", "input": '{"a": 1, "b": 2}'}),
        ("mcp__find", {}, {"type": "function_call", "name": "find", "namespace": "mcp", "arguments": "{}"}),
        ("mcp__edit", {"input": "x"}, {"type": "custom_tool_call", "name": "edit", "namespace": "mcp", "input": "x"}),
        ("made_up", {}, {"type": "function_call", "name": "made_up", "arguments": "{}"}),
    ],
)
def test_a_call_comes_back_as_the_kind_that_was_offered(name: str, arguments: Any, item: Any) -> None:
    made = called(name, [WEATHER, PATCH, NAMESPACE], **arguments)
    assert made.pop("id") == ("fc_7_0" if item["type"] == "function_call" else "ctc_7_0")
    assert made == item


def test_a_forced_custom_call_is_written_and_read_as_one() -> None:
    parsed = ask(tools=[PATCH, WEATHER], tool_choice={"type": "custom", "name": "patch"})
    assert [tool.name for tool in parsed.written] == ["patch"]
    written: Reply = say('{"name": "patch", "arguments": {"input": "*** x"}}')
    answer = plain(written, end(), tools=[PATCH, WEATHER], tool_choice={"type": "custom", "name": "patch"})
    assert [(item["type"], item["input"]) for item in answer["output"]] == [("custom_tool_call", "*** x")]


def test_kinds_of_tools_that_run_elsewhere_are_listed_and_not_offered() -> None:
    tools = [{"type": "web_search"}, WEATHER, {"type": "mcp", "server_label": "x"}, {"type": "soon", "name": 7}]
    assert ask(tools=tools).ignored == ("tools[0]:web_search", "tools[2]:mcp", "tools[3]:soon")
    assert [tool["name"] for tool in offered(tools)] == ["get_weather"]


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("none", []),
        ("auto", ["get_weather", "patch", "mcp__find", "mcp__edit"]),
        ({"type": "function", "name": "get_weather"}, ["get_weather"]),
        ({"type": "function", "name": "find", "namespace": "mcp"}, ["mcp__find"]),
        (
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "custom", "name": "patch"}, {"type": "namespace", "name": "mcp"}],
            },
            ["patch", "mcp__find", "mcp__edit"],
        ),
    ],
)
def test_a_choice_leaves_the_tools_it_names(choice: Any, names: list[str]) -> None:
    assert [tool["name"] for tool in offered([WEATHER, PATCH, NAMESPACE], tool_choice=choice)] == names


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "web_search"},
        {"type": "function", "name": "patch"},
        {"type": "function", "name": "find"},
        {"type": "function", "name": "find", "namespace": "other"},
        {"type": "allowed_tools", "tools": [{"type": "web_search", "name": "web_search"}]},
    ],
)
def test_a_choice_of_what_is_not_on_offer_is_refused(choice: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(tools=[WEATHER, PATCH, NAMESPACE, {"type": "web_search"}], tool_choice=choice)
    assert caught.value.param == "tool_choice"


def test_members_of_namespaces_count_as_tools() -> None:
    members = [{"type": "function", "name": "f"}] * 100
    with pytest.raises(InvalidRequest) as caught:
        ask(tools=[{**NAMESPACE, "tools": members}, {**NAMESPACE, "name": "b", "tools": members}])
    assert caught.value.param == "tools"


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        ({**WEATHER, "strict": "yes"}, "tools[1].strict"),
        ({**WEATHER, "description": 7}, "tools[1].description"),
        ({**WEATHER, "parameters": []}, "tools[1].parameters"),
        ({**WEATHER, "parameters": "x"}, "tools[1].parameters"),
        ({**PATCH, "format": "lark"}, "tools[1].format"),
        ({**NAMESPACE, "tools": [{"type": "function", "name": "f", "strict": 1}]}, "tools[1].tools[0].strict"),
        ({**NAMESPACE, "tools": ["f"]}, "tools[1].tools[0]"),
        ({**NAMESPACE, "description": 7}, "tools[1].description"),
    ],
)
def test_a_wrong_part_of_a_tool_is_named_as_the_client_wrote_it(tool: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(tools=[PATCH, tool])
    assert caught.value.param == param
    assert param in caught.value.message
    assert "function" not in caught.value.message.split()[0]


def test_an_earlier_call_has_the_name_under_which_its_tool_is_offered_now() -> None:
    item = {"type": "custom_tool_call", "call_id": "c1", "name": "edit", "namespace": "mcp", "input": "x"}
    told = messages([{"role": "user", "content": "u"}, item], tools=[NAMESPACE])
    assert told[1]["tool_calls"][0]["function"]["name"] == "mcp__edit"
