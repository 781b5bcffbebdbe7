"""POST /v1/chat/completions from the outside: whole bodies, and what reached Ollama for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.blueprints.v1.conftest import Api
from tests.support.fake_ollama import FakeOllama

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get current weather for a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def events(text: str) -> list[Any]:
    rows = [row.removeprefix("data: ") for row in text.split("\n\n") if row.startswith("data: ")]
    return [row if row == "[DONE]" else json.loads(row) for row in rows]


def test_a_plain_answer_has_exactly_the_documented_shape(live: Api) -> None:
    answer = live.chat("Reply with the single word PONG")
    body = answer.get_json()
    counts = body["usage"]
    assert body == {
        "id": f"chatcmpl-{answer.headers['x-request-id'].removeprefix('req_')}",
        "object": "chat.completion",
        "created": body["created"],
        "model": "phi-3-mini",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "PONG."}, "finish_reason": "stop"}],
        "usage": counts,
    }
    assert counts["total_tokens"] == counts["prompt_tokens"] + counts["completion_tokens"] > 0
    assert len(body["id"]) == len("chatcmpl-") + 32


def test_a_stream_has_exactly_the_documented_chunks(live: Api) -> None:
    answer = live.chat("Count from 1 to 5", model="llama-3.1-8b", stream=True)
    *chunks, finish, done = events(answer.get_data(as_text=True))
    assert done == "[DONE]"
    shared = {key: finish[key] for key in ("id", "object", "created", "model")}
    assert shared["object"] == "chat.completion.chunk"
    assert finish == shared | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    for chunk in chunks:
        delta = {"role": "assistant", "content": chunk["choices"][0]["delta"]["content"]}
        assert chunk == shared | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks) == "Here it goes: 1, 2, 3, 4, 5."


def test_usage_comes_in_a_stream_only_when_asked_for(live: Api) -> None:
    *_, usage, done = events(
        live.chat("hi", stream=True, stream_options={"include_usage": True}).get_data(as_text=True)
    )
    assert (usage["choices"], done) == ([], "[DONE]")
    assert usage["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_call_has_exactly_the_documented_shape(live: Api, stream: bool) -> None:
    answer = live.chat("What is the weather in Paris?", model="llama-3.1-8b", tools=[WEATHER], stream=stream)
    if stream:
        first, finish, _ = events(answer.get_data(as_text=True))
        message, reason = first["choices"][0]["delta"], finish["choices"][0]["finish_reason"]
        assert message["tool_calls"][0].pop("index") == 0
    else:
        message, reason = answer.get_json()["choices"][0]["message"], answer.get_json()["choices"][0]["finish_reason"]
    (call,) = message["tool_calls"]
    assert message == {"role": "assistant", "content": "", "tool_calls": [call]}
    assert call == {
        "id": call["id"],
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
    }
    assert call["id"].startswith("call_")
    assert call["id"].endswith("_0")
    assert reason == "tool_calls"


def test_a_tool_result_comes_back_as_prose(live: Api, fake_ollama: FakeOllama) -> None:
    call = {"id": "call_1_0", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
    messages = [
        {"role": "user", "content": "Weather in Paris? [[tag:second-turn]]"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1_0", "content": '{"temp_c": 18, "condition": "cloudy"}'},
    ]
    answer = live.post("/chat/completions", {"model": "llama-3.1-8b", "messages": messages})
    text = answer.get_json()["choices"][0]["message"]["content"]
    assert text == "The weather in Paris is currently cloudy with a temperature of 18 degrees Celsius."
    sent = fake_ollama.last(tag="second-turn")["body"]["messages"]
    assert sent[1]["tool_calls"][0]["function"]["arguments"] == {"city": "Paris"}
    assert sent[2]["tool_name"] == "get_weather"


def test_ollama_gets_the_catalogues_name_and_window_and_never_truncates(live: Api, fake_ollama: FakeOllama) -> None:
    live.chat("hi [[tag:asked]]", temperature=0.5, stop="x", seed=7, max_tokens=99999)
    sent = fake_ollama.last(tag="asked")
    assert sent["path"] == "/api/chat"
    assert (sent["body"]["model"], sent["body"]["truncate"]) == ("phi3:mini", False)
    options = sent["body"]["options"]
    assert (options["num_ctx"], options["temperature"], options["stop"], options["seed"]) == (8192, 0.5, ["x"], 7)
    assert 0 < options["num_predict"] <= 8192
    assert set(options) == {"num_ctx", "temperature", "stop", "seed", "num_predict"}


@pytest.mark.parametrize("field", ["options", "keep_alive", "raw", "template", "api_base", "num_ctx", "num_gpu"])
def test_fields_that_are_not_ours_are_listed_and_never_forwarded(
    live: Api, fake_ollama: FakeOllama, field: str
) -> None:
    answer = live.chat(f"hi [[tag:field-{field}]]", **{field: {"num_ctx": 1}})
    assert answer.status_code == 200
    assert answer.headers["x-llmrack-ignored"] == field
    sent = fake_ollama.last(tag=f"field-{field}")["body"]
    assert field == "options" or field not in sent
    assert sent["options"]["num_ctx"] == 8192


def test_the_first_turn_of_an_agent_passes(live: Api) -> None:
    tools = [WEATHER | {"function": WEATHER["function"] | {"name": f"tool_{n}"}} for n in range(16)]
    answer = live.chat("words " * 6000, model="qwen-2.5-7b", tools=tools, max_tokens=65536)
    assert answer.status_code == 200


def test_test_mode_says_what_it_is_and_live_answers_do_not(live: Api, test_mode: Api) -> None:
    assert test_mode.chat("hi").headers["x-llmrack-mode"] == "test"
    assert "x-llmrack-mode" not in live.chat("hi").headers


def test_test_mode_gives_the_documented_answers(test_mode: Api) -> None:
    pong = test_mode.chat("Reply with the single word PONG").get_json()
    assert pong["choices"][0]["message"]["content"] == "PONG."
    assert pong["usage"] == {"prompt_tokens": 18, "completion_tokens": 4, "total_tokens": 22}
    weather = test_mode.chat("What is the weather in Paris?", model="llama-3.1-8b", tools=[WEATHER]).get_json()
    (call,) = weather["choices"][0]["message"]["tool_calls"]
    assert call["function"] == {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    assert weather["usage"] == {"prompt_tokens": 159, "completion_tokens": 16, "total_tokens": 175}


def test_test_mode_refuses_what_does_not_fit_the_window_as_a_live_key_does(test_mode: Api, live: Api) -> None:
    counts = []
    for words in (1_000, 4_000, 8_000, 9_000, 12_000, 40_000):
        # Two letters a word: nothing before the engine can tell that these do not fit.
        answer = test_mode.chat("ab-" * words)
        if answer.status_code == 200:
            counts.append(answer.get_json()["usage"]["prompt_tokens"])
    assert counts == sorted(set(counts))
    assert max(counts) <= 8192
    refused, lived = test_mode.chat("ab-" * 40_000), live.chat("ab-" * 40_000)
    assert refused.status_code == lived.status_code == 400
    error = refused.get_json()["error"]
    assert error | {"message": ""} == lived.get_json()["error"] | {"message": ""}
    assert (error["type"], error["code"], error["param"]) == (
        "invalid_request_error",
        "context_length_exceeded",
        "messages",
    )
    assert "phi-3-mini" in error["message"]
    assert "the context holds 8192" in error["message"]
