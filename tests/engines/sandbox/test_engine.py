"""Test mode as an engine: known prompts, tools, JSON, thinking, pictures, limits and pace."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from llmrack.engines.base import ClientGone, EngineRequest
from llmrack.engines.sandbox import Sandbox
from llmrack.engines.sandbox import tokens as sandbox_tokens
from llmrack.errors import InvalidRequest
from llmrack.wire.ollama import Reply

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get current weather for a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
            "required": ["a", "b"],
            "additionalProperties": False,
        },
    },
}
instant = Sandbox(("small:1b",), pace=0)


def call() -> EngineRequest:
    return EngineRequest("req_test", silence_s=5)


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "small:1b", "messages": [{"role": "user", "content": text}], **more}


def chat(text: str, **more: Any) -> Reply:
    [[reply]] = instant.chat(user(text, stream=False, **more), call())
    assert reply.done
    return reply


def stream(body: dict[str, Any], engine: Sandbox = instant) -> list[Reply]:
    replies = [reply for batch in engine.chat(body, call()) for reply in batch]
    assert [reply.done for reply in replies] == [False] * (len(replies) - 1) + [True]
    return replies


def text_of(replies: list[Reply]) -> str:
    return "".join(reply.message.content for reply in replies if reply.message)


def calls_of(reply: Reply) -> list[tuple[str, dict[str, Any]]]:
    assert reply.message is not None
    return [(made.function.name, made.function.arguments) for made in reply.message.tool_calls or []]


def test_pong_is_answered_and_counted_as_captured() -> None:
    reply = chat("Reply with the single word PONG")
    assert reply.message is not None
    assert (reply.message.content, reply.done_reason) == ("PONG.", "stop")
    assert (reply.prompt_eval_count, reply.eval_count) == (18, 4)


def test_counting_streams_word_by_word() -> None:
    replies = stream(user("Count from 1 to 5"))
    assert [reply.message.content for reply in replies[:6] if reply.message] == ["Here", " it", " goes", ":", " 1", ","]
    assert text_of(replies) == "Here it goes: 1, 2, 3, 4, 5."


@pytest.mark.parametrize(
    "prompt", ["hi", "Hello!", "Haiku about SSDs.", "Summarize RAG in one paragraph.", "Plan a CPU benchmark run."]
)
def test_documented_prompts_have_their_own_answers(prompt: str) -> None:
    reply = chat(prompt)
    assert reply.message is not None
    assert reply.message.content
    assert "test mode" not in reply.message.content


def test_any_other_prompt_is_echoed_and_labelled() -> None:
    reply = chat("Why do cats purr at night?")
    assert reply.message is not None
    assert "test mode" in reply.message.content
    assert "Why do cats purr at night?" in reply.message.content


@pytest.mark.parametrize(
    ("prompt", "city"),
    [
        ("What is the weather in Paris?", "Paris"),
        ("Weather in Paris?", "Paris"),
        ("Weather in Berlin?", "Berlin"),
        ("What is the weather in New York today?", "New York"),
        ("what's the weather in lisbon", "Lisbon"),
    ],
)
def test_asking_for_weather_calls_the_weather_tool(prompt: str, city: str) -> None:
    reply = chat(prompt, tools=[ADD, WEATHER])
    assert calls_of(reply) == [("get_weather", {"city": city})]
    assert reply.message is not None
    assert reply.message.content == ""


@pytest.mark.parametrize("prompt", ["What is the weather in Paris?", "Weather in Paris?"])
def test_the_captured_tool_call_is_counted_as_captured(prompt: str) -> None:
    reply = chat(prompt, tools=[WEATHER])
    assert (reply.prompt_eval_count, reply.eval_count) == (159, 16)


def test_the_count_of_the_captured_tool_call_is_what_counting_gives() -> None:
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    assert sandbox_tokens.count_prompt(messages, [WEATHER]) == 159


def weather_done(content: str = '{"temp_c": 18, "condition": "cloudy"}') -> list[dict[str, Any]]:
    made = {"id": "call_1", "function": {"name": "get_weather", "arguments": {"city": "Paris"}}}
    return [
        {"role": "user", "content": "Weather in Paris?"},
        {"role": "assistant", "content": "", "tool_calls": [made]},
        {"role": "tool", "tool_call_id": "call_1", "tool_name": "get_weather", "content": content},
    ]


@pytest.mark.parametrize("tools", [[], [WEATHER]])
def test_a_weather_result_becomes_the_documented_sentence(tools: list[dict[str, Any]]) -> None:
    replies = stream({"model": "m", "messages": weather_done(), "tools": tools})
    assert text_of(replies) == ("The weather in Paris is currently cloudy with a temperature of 18 degrees Celsius.")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ('{"price": 12.5, "currency_code": "EUR"}', "price is 12.5 and currency code is EUR"),
        ('["a", "b", "c"]', "a, b and c"),
        ("It rains.", "It rains."),
        ("", "no result"),
        ("[" * 5000, "[[["),
    ],
)
def test_any_tool_result_is_put_into_words(content: str, part: str) -> None:
    assert part in text_of(stream({"model": "m", "messages": weather_done(content), "tools": [WEATHER]}))


def test_small_talk_calls_no_tool() -> None:
    assert calls_of(chat("hi", tools=[WEATHER])) == []
    assert calls_of(chat("Write me a poem about the sea", tools=[WEATHER, ADD])) == []


def test_the_tool_whose_words_were_said_is_called() -> None:
    assert calls_of(chat("Add 3 and 4.5", tools=[WEATHER, ADD])) == [("add", {"a": 3, "b": 4.5})]


def test_a_call_that_must_be_made_is_made() -> None:
    forced = call()
    forced.must_call = True
    [[reply]] = instant.chat(user("hi", stream=False, tools=[WEATHER, ADD]), forced)
    assert len(calls_of(reply)) == 1


def test_whole_schemas_hold_where_the_body_has_only_a_part() -> None:
    whole = call()
    whole.schemas = {
        "response_format": {"type": "object", "properties": {"n": {"type": "number", "minimum": 5}}, "required": ["n"]},
        "tools": {"add": {"type": "object", "properties": {"a": {"type": "number", "maximum": -3}}, "required": ["a"]}},
    }
    part = {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}
    [[reply]] = instant.chat(user("hi", stream=False, format=part), whole)
    assert reply.message is not None
    assert json.loads(reply.message.content)["n"] >= 5
    [[reply]] = instant.chat(user("Add something", stream=False, tools=[ADD]), whole)
    assert calls_of(reply)[0][1]["a"] <= -3
    [[reply]] = instant.chat(user("hi", stream=False), whole)
    assert reply.message is not None
    assert reply.message.content.startswith("Hello")


def test_a_streamed_call_arrives_whole_before_the_last_line() -> None:
    replies = stream(user("Weather in Paris?", tools=[WEATHER]))
    assert calls_of(replies[-2]) == [("get_weather", {"city": "Paris"})]
    assert replies[-2].message is not None
    [made] = replies[-2].message.tool_calls or []
    assert made.id is not None
    assert made.id.startswith("call_")
    assert len(made.id) == 13


def test_a_call_without_parameters_has_no_arguments() -> None:
    tool = {"type": "function", "function": {"name": "list_users", "description": "List all users"}}
    assert calls_of(chat("Show the users", tools=[tool])) == [("list_users", {})]


def test_json_mode_answers_an_object() -> None:
    reply = chat("List three colours", format="json")
    assert reply.message is not None
    assert isinstance(json.loads(reply.message.content), dict)


def test_json_mode_uses_the_keys_the_prompt_names() -> None:
    reply = chat("Give me JSON with keys name, age and city for Ann Lee, 41, in Rome", format="json")
    assert reply.message is not None
    assert json.loads(reply.message.content) == {"name": "Ann Lee", "age": 41, "city": "Rome"}


@pytest.mark.parametrize(
    ("prompt", "value"),
    [
        ("JSON with keys title and pages: Dune, 612 pages", {"pages": 612}),
        ("JSON with keys title and pages for a book. pages: 300", {"pages": 300}),
        ("Give me JSON with keys x and y: 3, 4", {"x": 3, "y": 4}),
        ("Give me JSON with keys x and y for 3 and 4.5.", {"x": 3, "y": 4.5}),
        ("JSON with the keys n (number) and word", {"n": 1}),
        ("JSON with keys n and word, where n is an integer", {"n": 1}),
        ("JSON with the keys unit_price and max_length", {"unit_price": 1, "max_length": 1}),
        ('Answer like {"city": "Rome", "degrees": 0}. It has 18 degrees in Oslo.', {"city": "Oslo", "degrees": 18}),
        ('Answer like {"n": "number", "ok": true}', {"n": 1, "ok": True}),
    ],
)
def test_json_mode_gives_numbers_where_the_prompt_or_the_key_says_so(prompt: str, value: dict[str, Any]) -> None:
    reply = chat(prompt, format="json")
    assert reply.message is not None
    made = json.loads(reply.message.content)
    assert {key: made[key] for key in value} == value


def test_json_mode_keeps_words_words() -> None:
    reply = chat("JSON with keys name and city for Ann, who is 41, in Rome", format="json")
    assert reply.message is not None
    assert json.loads(reply.message.content) == {"name": "Ann", "city": "Rome"}


@pytest.mark.parametrize("endpoint", ["chat", "generate"])
def test_the_count_of_a_prompt_grows_with_it_until_the_window_refuses_it(endpoint: str) -> None:
    def count(words: int) -> int:
        said = {"prompt": "word " * words, "messages": [{"role": "user", "content": "word " * words}]}
        ask = instant.chat if endpoint == "chat" else instant.generate
        [[reply]] = ask({"model": "m", "stream": False, "options": {"num_ctx": 1024}, **said}, call())
        assert (reply.prompt_eval_count or 0) + (reply.eval_count or 0) <= 1024
        return reply.prompt_eval_count or 0

    counts = [count(words) for words in range(1, 1000, 37)]
    assert counts == sorted(set(counts))
    for words in (1024, 1100, 5000, 50_000):
        with pytest.raises(InvalidRequest, match="the context holds 1024") as refused:
            count(words)
        assert refused.value.code == "context_length_exceeded"


def test_an_answer_ends_where_the_window_is_full() -> None:
    reply = chat("Fill the page [test:long 2000]", options={"num_ctx": 200})
    assert (reply.prompt_eval_count or 0) + (reply.eval_count or 0) == 200
    assert reply.done_reason == "length"


def test_a_schema_is_answered_with_an_instance_of_it() -> None:
    schema = {
        "type": "object",
        "properties": {
            "colour": {"enum": ["red", "blue"]},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
        },
        "required": ["colour", "tags"],
        "additionalProperties": False,
    }
    reply = chat("Something blue", format=schema)
    assert reply.message is not None
    value = json.loads(reply.message.content)
    Draft202012Validator(schema).validate(value)
    assert value["colour"] == "blue"


def test_logprobs_come_in_the_shape_of_ollama() -> None:
    replies = stream(user("Count from 1 to 5", logprobs=True, top_logprobs=3))
    for reply in replies[:-1]:
        assert reply.message is not None
        [entry] = reply.logprobs or []
        assert entry["token"] == reply.message.content
        assert bytes(entry["bytes"]).decode() == entry["token"]
        assert entry["logprob"] < 0
        tops = entry["top_logprobs"]
        assert tops[0] == {key: entry[key] for key in ("token", "logprob", "bytes")}
        assert len({top["token"] for top in tops}) == 3
        assert [top["logprob"] for top in tops] == sorted((top["logprob"] for top in tops), reverse=True)
    assert chat("hi").logprobs is None
    assert len(chat("hi", logprobs=True).logprobs or []) == 9


@pytest.mark.parametrize("level", [True, "low", "medium", "high", "max"])
def test_thinking_comes_before_the_answer(level: bool | str) -> None:
    replies = stream(user("hi", think=level))
    kinds = ["thinking" if reply.message and reply.message.thinking else "content" for reply in replies[:-1]]
    assert kinds == sorted(kinds, reverse=True)
    assert "thinking" in kinds
    assert text_of(replies) == "Hello! How can I help you today?"
    assert replies[-1].eval_count == len(replies) - 1


def test_nothing_is_thought_unasked() -> None:
    assert all(reply.message and reply.message.thinking is None for reply in stream(user("hi", think=False)))


def test_images_are_counted_and_told_apart() -> None:
    def answer(*images: str) -> str:
        message = {"role": "user", "content": "What is this?", "images": list(images)}
        return text_of(stream({"model": "m", "messages": [message]}))

    assert "2 images" in answer("aGk=", "eW8=")
    assert "1 image " in answer("aGk=")
    assert answer("aGk=") == answer("aGk=") != answer("eW8=")


def test_num_predict_cuts_at_exactly_so_many_pieces() -> None:
    for limit in (1, 3, 13):
        replies = stream(user("Count from 1 to 5", options={"num_predict": limit}))
        assert len(replies) - 1 == limit
        assert (replies[-1].eval_count, replies[-1].done_reason) == (limit, "length")
    assert stream(user("Count from 1 to 5", options={"num_predict": 14}))[-1].done_reason == "stop"
    assert stream(user("Count from 1 to 5", options={"num_predict": -1}))[-1].done_reason == "stop"


def test_a_call_that_does_not_fit_the_limit_is_lost() -> None:
    reply = chat("Weather in Paris?", tools=[WEATHER], options={"num_predict": 5})
    assert calls_of(reply) == []
    assert (reply.eval_count, reply.done_reason) == (5, "length")


def test_a_stop_text_ends_the_answer_before_itself() -> None:
    replies = stream(user("Count from 1 to 5", options={"stop": ["3", "zzz"]}))
    assert text_of(replies) == "Here it goes: 1, 2, "
    assert (replies[-1].done_reason, replies[-1].eval_count) == ("stop", len(replies) - 1)
    assert text_of(stream(user("Count from 1 to 5", options={"stop": ["Here"]}))) == ""


def test_no_messages_load_the_model_and_say_so() -> None:
    [reply] = stream({"model": "m", "messages": []})
    assert reply.done_reason == "load"


def test_durations_fit_together() -> None:
    last = stream(user("hi"))[-1]
    parts = (last.load_duration, last.prompt_eval_duration, last.eval_duration)
    assert all(part and part > 0 for part in parts)
    assert last.total_duration is not None
    assert last.total_duration >= sum(part or 0 for part in parts)


def test_generate_answers_in_response() -> None:
    def text(**body: Any) -> str:
        replies = [reply for batch in instant.generate({"model": "m", **body}, call()) for reply in batch]
        assert all(reply.message is None for reply in replies)
        return "".join(reply.response for reply in replies)

    assert text(prompt="Reply with the single word PONG") == "PONG."
    assert text(prompt="Once upon a time", raw=True).startswith("This is test mode")
    assert "insertion" in text(prompt="def f(", suffix="):")
    assert json.loads(text(prompt="x", format={"type": "integer", "minimum": 7})) == 7
    assert text(prompt="hi", think=True) == "Hello! How can I help you today?"
    [[loaded]] = instant.generate({"model": "m", "prompt": ""}, call())
    assert loaded.done_reason == "load"


def test_the_same_request_has_the_same_answer_from_another_engine() -> None:
    body = user("Weather in Rome?", tools=[WEATHER], think=True, logprobs=True, top_logprobs=2)
    assert stream(body) == stream(body, Sandbox(("other",), pace=0))


@given(st.text(max_size=300))
def test_pieces_join_to_their_text(text: str) -> None:
    assert "".join(sandbox_tokens.pieces(text)) == text
    assert sandbox_tokens.count(text) == len(sandbox_tokens.pieces(text))


@given(st.text(max_size=60), st.booleans(), st.integers(1, 40), st.lists(st.text(min_size=1, max_size=2), max_size=2))
def test_streamed_and_whole_answers_are_the_same(text: str, thinks: bool, limit: int, stop: list[str]) -> None:
    body = user(text, think=thinks, options={"num_predict": limit, "stop": stop})
    replies = stream(body)
    [[whole]] = instant.chat({**body, "stream": False}, call())
    assert whole.message is not None
    assert text_of(replies) == whole.message.content
    assert replies[-1].eval_count == whole.eval_count == len(replies) - 1
    assert not any(end in whole.message.content for end in stop)


class Clock:
    """Sleeps by adding up; `at` calls back when so many seconds have passed."""

    def __init__(self) -> None:
        self.slept_s: list[float] = []
        self.at: tuple[float, Any] | None = None

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        if self.at and sum(self.slept_s) >= self.at[0]:
            self.at[1]()

    @property
    def total_s(self) -> float:
        return sum(self.slept_s)


def test_the_pace_is_that_of_a_small_model() -> None:
    clock = Clock()
    replies = stream(user("Count from 1 to 5"), Sandbox((), sleep=clock.sleep))
    assert clock.total_s == pytest.approx(0.15 + (len(replies) - 2) / 40)


def test_an_unstreamed_answer_takes_no_longer_than_a_third_of_a_second() -> None:
    clock = Clock()
    list(Sandbox((), sleep=clock.sleep).chat(user("[test:long 5000]", stream=False), call()))
    assert clock.total_s == pytest.approx(0.3)


def test_instant_mode_never_sleeps() -> None:
    def refuse(seconds: float) -> None:
        raise AssertionError(seconds)

    engine = Sandbox((), pace=0, sleep=refuse)
    stream(user("Count from 1 to 5"), engine)
    engine.embed({"input": ["hi"]}, call())


def test_a_client_that_left_is_noticed_within_a_quarter_of_a_second() -> None:
    clock, gone = Clock(), call()
    clock.at = (1.0, gone.abandon)
    with pytest.raises(ClientGone):
        list(Sandbox((), sleep=clock.sleep).chat(user("[test:slow-first-token 60]"), gone))
    assert 1.0 <= clock.total_s <= 1.25
    assert max(clock.slept_s) <= 0.25


def test_a_client_that_left_before_costs_nothing() -> None:
    gone = call()
    gone.abandon()
    for body in (user("hi"), user("hi", stream=False), user("[test:error 500]")):
        with pytest.raises(ClientGone):
            next(instant.chat(body, gone))


def test_silence_is_reported_by_empty_batches() -> None:
    clock = Clock()
    batches: Iterator[list[Reply]] = Sandbox((), sleep=clock.sleep).chat(
        user("hi [test:slow-first-token 10]"), EngineRequest("req_test", silence_s=2)
    )
    for count in range(1, 5):
        assert next(batches) == []
        assert clock.total_s == pytest.approx(2 * count)
    assert [] in [next(batches)]
    assert next(batches)[0].message is not None


def test_it_has_the_models_it_was_given() -> None:
    assert [(model.name, "tools" in model.capabilities) for model in instant.installed()] == [("small:1b", True)]
    assert [model.name for model in instant.loaded()] == ["small:1b"]
    assert instant.version() == "sandbox"
