"""From a chat request to Ollama's body: what the field rows do not show."""

from __future__ import annotations

from typing import Any

import pytest

from llmrack.errors import InvalidRequest
from llmrack.wire.chat.messages import ImagePlace
from llmrack.wire.parsed import Features
from tests.wire.support import MESSAGES, WEATHER, body_of, chat_ask

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def refused(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        chat_ask(**fields)
    return caught.value


def test_the_smallest_request_sends_only_what_is_needed() -> None:
    assert chat_ask(max_tokens=9).bodies(9) == [
        {
            "model": "llama3.1:8b",
            "truncate": False,
            "shift": False,
            "options": {"num_ctx": 16384, "num_predict": 9},
            "messages": MESSAGES,
            "stream": False,
        }
    ]


def test_nothing_a_client_sends_changes_what_loads_the_model() -> None:
    load = {"num_ctx": 1, "num_gpu": 0, "num_batch": 1, "num_thread": 1, "use_mmap": False}
    ask = chat_ask(**load, options=load, keep_alive=-1, truncate=True, shift=True, format="json", think=True, raw=True)
    assert body_of(ask) == body_of(chat_ask())
    assert set(ask.ignored) == {*load, "options", "keep_alive", "truncate", "shift", "format", "think", "raw"}


@pytest.mark.parametrize(
    ("fields", "budget", "expected"),
    [
        ({}, 10**9, 16384 - 17 // 2),
        ({"max_tokens": 65536}, 10**9, 16384 - 17 // 2),
        ({"max_tokens": 100}, 10**9, 100),
        ({"max_tokens": 100}, 7, 7),
        ({"max_completion_tokens": 4096}, 10**9, 4096),
        ({"max_tokens": 50, "max_completion_tokens": 40}, 10**9, 40),
        ({}, 0, 1),
    ],
)
def test_the_answer_is_bounded_by_the_client_the_window_and_the_budget(fields: Any, budget: int, expected: int) -> None:
    """Never 0: Ollama takes that for "no limit" on some paths."""
    assert chat_ask(**fields).bodies(budget)[0]["options"]["num_predict"] == expected


@pytest.mark.parametrize(("seed", "sent"), [(0, 0), (7, 7), (2**31 - 2, 2**31 - 2), (-1, 2**31 - 2), (2**40, 512)])
def test_a_seed_stays_a_seed_within_the_servers_type(seed: int, sent: int) -> None:
    assert body_of(chat_ask(seed=seed))["options"]["seed"] == sent


def test_tools_on_a_model_without_them_are_listed_as_ignored() -> None:
    ask = chat_ask(model="phi-3-mini", tools=[WEATHER], tool_choice="auto", parallel_tool_calls=False)
    assert ask.ignored == ("tools", "tool_choice", "parallel_tool_calls")
    assert body_of(ask) == body_of(chat_ask(model="phi-3-mini"))


def test_tool_choice_none_sends_no_tools() -> None:
    assert "tools" not in body_of(chat_ask(tools=[WEATHER], tool_choice="none"))


def test_a_named_choice_sends_that_tool_alone() -> None:
    other = {"type": "function", "function": {"name": "now"}}
    chosen = {"type": "function", "function": {"name": "now"}}
    body = body_of(chat_ask(tools=[WEATHER, other], tool_choice=chosen))
    assert [tool["function"]["name"] for tool in body["tools"]] == ["now"]
    assert body["format"]["properties"]["name"] == {"enum": ["now"]}
    assert body["format"]["properties"]["arguments"] == {"type": "object"}
    both = body_of(chat_ask(tools=[WEATHER, other], tool_choice="required"))
    assert [call["properties"]["name"]["enum"] for call in both["format"]["anyOf"]] == [["get_weather"], ["now"]]


@pytest.mark.parametrize(("mode", "is_forced"), [("auto", False), ("required", True)])
def test_allowed_tools_narrow_the_choice(mode: str, is_forced: bool) -> None:
    other = {"type": "function", "function": {"name": "now"}}
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [other]}}
    body = body_of(chat_ask(tools=[WEATHER, other], tool_choice=choice))
    assert [tool["function"]["name"] for tool in body["tools"]] == ["now"]
    assert ("format" in body) == is_forced


def test_a_format_beside_tools_leaves_room_for_a_call() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    asked = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    choices = body_of(chat_ask(tools=[WEATHER], response_format=asked))["format"]["anyOf"]
    assert choices[0] == schema
    assert choices[1]["properties"]["name"] == {"enum": ["get_weather"]}


@pytest.mark.parametrize(
    ("effort", "think"),
    [
        (None, True),
        ("none", False),
        ("minimal", "low"),
        ("low", "low"),
        ("medium", "medium"),
        ("high", "high"),
        ("xhigh", "max"),
        ("max", "max"),
    ],
)
def test_reasoning_effort_becomes_think(effort: str | None, think: bool | str) -> None:
    assert body_of(chat_ask(model="deepseek-r1-8b", reasoning_effort=effort))["think"] == think


def test_a_model_that_does_not_reason_ignores_the_effort() -> None:
    ask = chat_ask(reasoning_effort="high")
    assert "think" not in body_of(ask)
    assert ask.ignored == ("reasoning_effort",)


def test_logprobs_are_refused_by_name_where_the_server_has_none() -> None:
    error = refused(features=Features(logprobs=False), logprobs=True)
    assert (error.param, error.code) == ("logprobs", "unsupported_parameter")
    assert "logprobs" not in body_of(chat_ask(Features(logprobs=False), logprobs=False))


def test_content_parts_of_every_role_are_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    roles = ["system", "developer", "user", "assistant", "tool"]
    sent = body_of(chat_ask(messages=[{"role": role, "content": parts} for role in roles]))["messages"]
    assert [message["role"] for message in sent] == ["system", "system", "user", "assistant", "tool"]
    assert {message["content"] for message in sent} == {"a\nb"}


def test_what_agents_add_to_messages_is_let_through() -> None:
    messages = [
        {"role": "user", "content": "hi", "name": "ann"},
        {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "audio": None,
            "annotations": [],
            "function_call": None,
            "tool_calls": None,
            "provider_specific_fields": {},
            "reasoning_content": "hm",
        },
        {"role": "user", "content": None},
        {"role": "user", "content": ""},
        {"role": "user", "content": []},
    ]
    sent = body_of(chat_ask(messages=messages))["messages"]
    assert sent[:2] == [{"role": "user", "content": "hi"}, {"role": "assistant", "content": ""}]
    assert sent[2:] == [{"role": "user", "content": ""}] * 3


@pytest.mark.parametrize(
    ("arguments", "sent"), [("{}", {}), ("", {}), (' {"a": [1]} ', {"a": [1]}), ({"a": 1}, {"a": 1}), (None, None)]
)
def test_arguments_of_earlier_calls_become_objects(arguments: Any, sent: Any) -> None:
    messages = [*MESSAGES, {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}]
    if sent is None:
        assert refused(messages=messages).param == "messages[1].tool_calls[0].function.arguments"
    else:
        made = body_of(chat_ask(messages=messages))["messages"][1]["tool_calls"]
        assert made == [{"function": {"index": 0, "name": "f", "arguments": sent}}]


def test_a_tool_result_without_its_call_is_still_sent() -> None:
    messages = [{"role": "tool", "tool_call_id": "lost", "content": "18"}]
    assert body_of(chat_ask(messages=messages))["messages"] == [
        {"role": "tool", "content": "18", "tool_call_id": "lost"}
    ]


def test_an_image_reaches_a_model_that_can_see() -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "what?"}, image]}]
    ask = chat_ask(model="llava-7b", messages=messages)
    assert body_of(ask)["messages"] == [{"role": "user", "content": "what?", "images": [PNG]}]
    assert ask.prompt_tokens > 768
    assert refused(messages=messages).param == "messages[0].content[1]"


@pytest.mark.parametrize("url", ["https://example.com/a.png", "http://10.0.0.1/", "file:///etc/passwd", "x", ""])
def test_images_from_elsewhere_are_refused_unless_they_are_allowed(url: str) -> None:
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]
    assert refused(model="llava-7b", messages=messages).param == "messages[0].content[0].image_url"
    if url.startswith("http"):
        ask = chat_ask(Features(image_urls=True), model="llava-7b", messages=messages)
        assert ask.conversation.image_urls == [ImagePlace("messages[0].content[0].image_url", url, 0, 0)]


def test_a_prompt_that_cannot_fit_is_refused_before_it_is_sent() -> None:
    error = refused(messages=[{"role": "user", "content": "word " * 20000}])
    assert error.code == "context_length_exceeded"
    assert "20000 tokens" in error.message
    assert "16384" in error.message


def test_a_prompt_that_may_fit_is_sent_and_reserved_for_at_most_the_window() -> None:
    ask = chat_ask(messages=[{"role": "user", "content": "a" * 60_000}])
    assert ask.prompt_tokens == 16384
    assert ask.output_tokens == 16384 // 2


def test_the_estimate_covers_text_and_tools() -> None:
    assert chat_ask().prompt_tokens == 2 // 3 + 1 + 16
    assert chat_ask(tools=[WEATHER]).prompt_tokens > 60


def test_a_known_id_behind_a_prefix_gets_a_hint() -> None:
    assert "Use the plain id 'phi-3-mini'" in refused(model="openai/phi-3-mini").message
    assert refused(model="gpt-4o").code == "model_not_found"


def test_ignored_names_are_few_and_safe_for_a_header() -> None:
    ask = chat_ask(**{f"x{number}": 1 for number in range(30)}, **{"a\r\nSet-Cookie: b": 1, "": 1, "é" * 100: 1})
    assert len(ask.ignored) == 21
    assert ask.ignored[-1] == "and-13-more"
    assert all(name.isascii() and name.isprintable() and " " not in name for name in ask.ignored)


def test_a_strict_schema_is_judged_before_the_model_works_and_what_it_cannot_hold_is_listed() -> None:
    def tool(schema: Any) -> Any:
        return {"type": "function", "function": {"name": "f", "parameters": schema, "strict": True}}

    ask = chat_ask(tools=[tool({"properties": {"a": {"pattern": "(?=a)b"}}})], tool_choice="required")
    assert ask.ignored == ("tools[0].function.parameters.pattern",)
    assert chat_ask(tools=[tool({"type": "nonsense"})]).ignored == ()
    error = refused(tools=[tool({"type": "nonsense"})], tool_choice="required")
    assert error.param == "tools[0].function.parameters"
    assert refused(tools=[tool({"title": "x" * 100_000})], tool_choice="required").code == "schema_too_large"
