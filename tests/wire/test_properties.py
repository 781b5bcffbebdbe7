"""The translation holds for every split of an answer and for every body, not only for the examples."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmrack.errors import ApiError, InvalidRequest, UpstreamError
from llmrack.wire import completions, embeddings, errors
from llmrack.wire.chat import request as chat_request
from llmrack.wire.ollama import Reply
from llmrack.wire.parsed import Features
from tests.wire.support import CATALOG, WEATHER, call, chat_ask, encoded, end, events, say, text_ask

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=80)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def split(text: str, places: list[int]) -> list[str]:
    """The text cut at these places, with empty pieces where they fall together."""
    cuts = sorted(place % (len(text) + 1) for place in places)
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def batches(replies: list[Reply], sizes: list[int]) -> list[list[Reply]]:
    """The lines grouped as a network might group them, with empty batches for silences."""
    grouped: list[list[Reply]] = []
    for size in sizes:
        grouped.append(replies[:size])
        replies = replies[size:]
    return [*grouped, replies]


places = st.lists(st.integers(0, 200), max_size=8)
sizes = st.lists(st.integers(0, 3), max_size=8)


@QUICK
@given(texts, places, sizes)
def test_a_streamed_chat_says_the_same_however_it_is_split(text: str, cuts: list[int], groups: list[int]) -> None:
    pieces = split(text, cuts)
    lines = [*map(say, pieces), end(eval_count=len(pieces))]
    stream = chat_ask(stream=True, stream_options={"include_usage": True}).open_stream("chatcmpl-1", 1)
    chunks = events(b"".join(stream.feed(0, batch) for batch in batches(lines, groups)) + stream.close())
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks[:-2]) == text
    assert stream.delivered == sum(1 for piece in pieces if piece)
    usage = chunks[-2]["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] == 18 + len(pieces)
    plain = chat_ask().open_plain("chatcmpl-1", 1)
    for batch in batches(lines, groups):
        plain.feed(0, batch)
    assert json.loads(plain.body())["choices"][0]["message"]["content"] == text


@QUICK
@given(texts, places, sizes, st.booleans())
def test_a_streamed_text_says_the_same_however_it_is_split(
    text: str, cuts: list[int], groups: list[int], echo: bool
) -> None:
    lines = [*(Reply(response=piece) for piece in split(text, cuts)), Reply(done=True, done_reason="stop")]
    stream = text_ask(stream=True, echo=echo).open_stream("cmpl-1", 1)
    chunks = events(b"".join(stream.feed(0, batch) for batch in batches(lines, groups)) + stream.close())
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks[:-1]) == ("hi" if echo else "") + text


@QUICK
@given(st.dictionaries(texts, values.filter(lambda value: value == value), max_size=3), places)
def test_a_call_written_as_text_arrives_whole_however_it_is_split(arguments: dict[str, Any], cuts: list[int]) -> None:
    arguments = msgspec.json.decode(msgspec.json.encode(arguments))
    text = json.dumps({"name": "get_weather", "arguments": arguments})
    for choice in ("required", {"type": "function", "function": {"name": "get_weather"}}):
        ask = chat_ask(stream=True, tools=[WEATHER], tool_choice=choice)
        stream = ask.open_stream("chatcmpl-1", 1)
        data = b"".join(stream.feed(0, [say(piece)]) for piece in split(text, cuts)) + stream.feed(0, [end()])
        chunks = events(data + stream.close())
        (made,) = chunks[0]["choices"][0]["delta"]["tool_calls"]
        assert json.loads(made["function"]["arguments"]) == arguments
        assert chunks[-2]["choices"][0]["finish_reason"] == "tool_calls"


@QUICK
@given(st.lists(st.lists(st.sampled_from(["Paris", "Rome", "Oslo"]), max_size=3), max_size=4), st.booleans())
def test_calls_are_numbered_in_their_order_however_they_are_grouped(groups: list[list[str]], on_last: bool) -> None:
    lines = [say(tool_calls=[call(city=city) for city in group]) for group in groups]
    if on_last and lines:
        lines[-1].done, lines[-1].done_reason = True, "stop"
    else:
        lines.append(end())
    stream = chat_ask(stream=True, tools=[WEATHER]).open_stream("chatcmpl-1", 1)
    chunks = events(b"".join(stream.feed(0, [line]) for line in lines) + stream.close())
    made = [one for chunk in chunks[:-1] for one in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert [json.loads(one["function"]["arguments"])["city"] for one in made] == [
        city for group in groups for city in group
    ]
    assert [one["index"] for one in made] == list(range(len(made)))


def attempt(raw: bytes) -> None:
    """Every body is either taken, and can be sent on, or refused with an error that fits the envelope."""
    for endpoint in ("chat", "completions", "embeddings"):
        try:
            taken = bodies(endpoint, raw)
        except InvalidRequest as exc:
            errors.envelope(exc).decode()
            continue
        msgspec.json.encode(taken)


def bodies(endpoint: str, raw: bytes) -> list[dict[str, Any]]:
    if endpoint == "embeddings":
        return [embeddings.parse(raw, CATALOG).body()]
    ask = (chat_request.parse if endpoint == "chat" else completions.parse)(raw, CATALOG, Features())
    return ask.bodies(ask.output_tokens)


@settings(QUICK, max_examples=400)
@given(st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()))
def test_no_body_breaks_the_parsers(raw: bytes) -> None:
    attempt(raw)


names = st.sampled_from(
    [
        "model",
        "messages",
        "prompt",
        "input",
        "tools",
        "tool_choice",
        "response_format",
        "stop",
        "stream",
        "stream_options",
    ]
    + ["max_tokens", "temperature", "seed", "n", "logprobs", "top_logprobs", "user", "metadata", "suffix", "dimensions"]
)
roles = st.sampled_from(["system", "user", "assistant", "tool", "developer", "function"]) | values
messages = st.lists(
    st.fixed_dictionaries({"role": roles}, optional={"content": values | texts, "tool_calls": values, "name": values}),
    max_size=3,
)
requests = st.fixed_dictionaries(
    {"model": st.sampled_from(["llama-3.1-8b", "llava-7b", "nomic-embed", "deepseek-r1-8b"])},
    optional={"messages": messages | values, "prompt": texts | values, "input": texts | values},
)


@settings(QUICK, max_examples=600)
@given(requests, st.dictionaries(names, values, max_size=3))
def test_no_field_breaks_the_parsers(request: dict[str, Any], fields: dict[str, Any]) -> None:
    attempt(json.dumps({**fields, **request}).encode())


schema_words = st.sampled_from(
    ["type", "properties", "items", "required", "enum", "const", "anyOf", "allOf", "oneOf", "$ref", "$defs", "pattern"]
    + ["additionalProperties", "prefixItems", "minItems", "maxLength", "minimum", "format", "not", "patternProperties"]
)
schemas = st.recursive(
    st.booleans() | st.sampled_from(["object", "string", "#", "#/$defs/a", "^a+$", 3, 1.5, None]),
    lambda inner: st.dictionaries(schema_words | st.just("a"), inner | st.lists(inner, max_size=3), max_size=4),
    max_leaves=20,
)


@settings(QUICK, max_examples=400)
@given(schemas, values)
def test_no_schema_breaks_the_parsers_or_the_checker(schema: Any, value: Any) -> None:
    function = {"name": "f", "parameters": schema, "strict": True}
    formats: list[dict[str, Any]] = [
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}}},
        {"tools": [{"type": "function", "function": function}], "tool_choice": "required"},
    ]
    for fields in formats:
        request = encoded({"model": "llama-3.1-8b", "messages": [{"role": "user", "content": "hi"}], **fields})
        try:
            ask = chat_request.parse(request, CATALOG, Features())
        except InvalidRequest:
            continue
        msgspec.json.encode(ask.bodies(10))
        plain = ask.open_plain("chatcmpl-1", 1)
        plain.feed(0, [say(json.dumps(value)), end()])
        plain.repair(10)
        try:
            plain.feed(0, [say(json.dumps({"name": "f", "arguments": {"a": value}})), end()])
            plain.body()
        except UpstreamError:
            pass


@QUICK
@given(values, st.integers(200, 599))
def test_no_answer_of_the_model_server_is_too_strange_to_be_an_error(value: Any, status: int) -> None:
    assert isinstance(errors.from_ollama(status, value), ApiError)
    assert isinstance(errors.from_ollama(status, json.dumps({"error": value}).encode()), ApiError)
