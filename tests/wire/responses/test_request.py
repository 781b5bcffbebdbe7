"""Fields of a request for a response that the rows' own examples do not show."""

from __future__ import annotations

from typing import Any

import pytest

from llmrack.errors import InvalidRequest
from tests.wire.responses.support import WEATHER, ask, plain
from tests.wire.support import end, say

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        ({"store": False, "truncation": "disabled"}, ()),
        ({"store": True, "truncation": "auto"}, ("store", "truncation")),
        ({"text": {"verbosity": "low"}}, ("text.verbosity",)),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, ("reasoning.effort",)),
        ({"reasoning": {"context": "x"}, "model": "deepseek-r1-8b"}, ("reasoning.context",)),
        (
            {"include": ["reasoning.encrypted_content", "web_search_call.results"]},
            ("include:web_search_call.results",),
        ),
        ({"prompt_cache_key": "k", "moderation": {}}, ("prompt_cache_key", "moderation")),
        ({"tools": [WEATHER], "model": "phi-3-mini"}, ("tools",)),
        ({"background": False, "conversation": None, "previous_response_id": None}, ()),
    ],
)
def test_what_has_no_effect_is_listed_in_the_words_of_the_request(fields: Any, ignored: tuple[str, ...]) -> None:
    assert ask(**fields).ignored == ignored


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id", "store: false"),
        ({"conversation": "c"}, "conversation", "in input"),
        ({"prompt": {"id": "p"}}, "prompt", "instructions and input"),
        ({"background": True}, "background", "stream: true"),
    ],
)
def test_what_needs_state_is_refused_with_what_to_use(fields: Any, param: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as caught:
        ask(**fields)
    assert (caught.value.param, caught.value.code) == (param, "unsupported_parameter")


def test_a_prompt_that_cannot_fit_is_refused_by_the_name_of_its_field() -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(input="word " * 200_000)
    assert (caught.value.param, caught.value.code) == ("input", "context_length_exceeded")


def test_a_schema_that_cannot_be_read_is_refused_by_its_own_name() -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(text={"format": {"type": "json_schema", "name": "x", "schema": {"$ref": "http://x/y"}}})
    assert str(caught.value.param).startswith("text.format.schema")
    assert "response_format" not in caught.value.message


def test_the_answer_repeats_what_was_asked_for() -> None:
    form = {"type": "json_schema", "name": "city", "schema": CITY, "strict": True}
    tools = [WEATHER, {"type": "web_search", "filters": {"a": [1]}}]
    answer = plain(
        say('{"city": "Oslo"}'),
        end(),
        instructions="Be brief.",
        metadata={"run": "7"},
        max_output_tokens=99,
        temperature=0.5,
        text={"format": form},
        tools=tools,
        tool_choice="auto",
        parallel_tool_calls=False,
        reasoning={"summary": "auto"},
        user="ann",
        store=True,
    )
    expected = {
        "instructions": "Be brief.",
        "metadata": {"run": "7"},
        "max_output_tokens": 99,
        "temperature": 0.5,
        "top_p": None,
        "text": {"format": form},
        "tools": tools,
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"effort": None, "summary": "auto"},
        "user": "ann",
        "store": False,
        "previous_response_id": None,
    }
    assert {name: answer[name] for name in expected} == expected
