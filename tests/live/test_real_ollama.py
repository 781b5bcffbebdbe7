"""The quickstart's requests against a real Ollama, which must have the catalogue's models under their names.

Opt in with OLLAMA_URL=http://127.0.0.1:11434. What a model says is its own affair; shapes, ends and counts are ours.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator

import pytest
import requests
from openai import BadRequestError, OpenAI

from tests.serve.conftest import ROOMY_PLAN
from tests.support.clients import Client
from tests.support.servers import Running, start_app

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif("OLLAMA_URL" not in os.environ, reason="OLLAMA_URL names no real Ollama"),
]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get current weather for a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CHAT_MODELS = ["phi-3-mini", "mistral-7b", "llama-3.1-8b", "qwen-2.5-7b"]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("live")
    (folder / "instance").mkdir()
    (folder / "instance" / "plans.toml").write_text(ROOMY_PLAN, encoding="utf-8")
    with start_app(folder, os.environ["OLLAMA_URL"]) as running:
        yield running


@pytest.fixture(scope="module")
def key(server: Running) -> str:
    return server.key("live", "live", "--plan", "business")


@pytest.fixture(scope="module")
def client(server: Running, key: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key=key, timeout=120, max_retries=0) as client:
        yield client


def ask(prompt: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}]


@pytest.mark.parametrize("model", CHAT_MODELS)
def test_every_chat_model_answers_plainly_and_in_a_stream(client: OpenAI, model: str) -> None:
    plain = client.chat.completions.create(model=model, messages=ask("hi"), temperature=0)
    assert plain.choices[0].finish_reason == "stop"
    assert plain.usage.completion_tokens > 0
    with client.chat.completions.create(
        model=model, messages=ask("hi"), temperature=0, stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == plain.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == plain.usage.completion_tokens
    assert len({chunk.id for chunk in chunks}) == 1


@pytest.mark.parametrize("choice", ["auto", "required", {"type": "function", "function": {"name": "get_weather"}}])
@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
def test_a_tool_is_called_with_arguments_that_parse(client: OpenAI, choice: object, is_stream: bool) -> None:
    request = {
        "model": "llama-3.1-8b",
        "messages": ask("What is the weather in Paris?"),
        "tools": [WEATHER],
        "tool_choice": choice,
        "temperature": 0,
    }
    if is_stream:
        with client.chat.completions.stream(**request) as stream:
            answer = stream.get_final_completion()
    else:
        answer = client.chat.completions.create(**request)
    (call,) = answer.choices[0].message.tool_calls
    assert (answer.choices[0].finish_reason, call.function.name) == ("tool_calls", "get_weather")
    assert list(json.loads(call.function.arguments)) == ["city"]


def test_a_tool_result_is_read(client: OpenAI) -> None:
    call = {"id": "call_1_0", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
    answer = client.chat.completions.create(
        model="llama-3.1-8b",
        temperature=0,
        tools=[WEATHER],
        messages=[
            *ask("What is the weather in Paris?"),
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1_0", "content": '{"temp_c": 21, "condition": "sunny"}'},
        ],
    )
    assert "21 degrees" in answer.choices[0].message.content


def test_json_mode_parses_and_a_schema_holds(client: OpenAI) -> None:
    prompt = ask("Give me a JSON object with the keys name and age.")
    loose = client.chat.completions.create(
        model="qwen-2.5-7b", messages=prompt, response_format={"type": "json_object"}, temperature=0
    )
    assert isinstance(json.loads(loose.choices[0].message.content), dict)
    strict = client.chat.completions.create(
        model="qwen-2.5-7b",
        messages=ask("Give me a number."),
        max_tokens=100,
        temperature=0,
        response_format={"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": SCHEMA}},
    )
    if strict.choices[0].finish_reason == "stop":
        assert list(json.loads(strict.choices[0].message.content)) == ["n"]


def test_log_probabilities_come_with_each_token(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="llama-3.1-8b", messages=ask("hi"), logprobs=True, top_logprobs=2, temperature=0
    )
    entries = answer.choices[0].logprobs.content
    assert entries
    assert all(len(entry.top_logprobs) == 2 and entry.logprob <= 0 for entry in entries)


def test_text_completions_and_embeddings(client: OpenAI) -> None:
    text = client.completions.create(model="phi-3-mini", prompt=["hi", "hello"], max_tokens=8)
    assert [choice.index for choice in text.choices] == [0, 1]
    vectors = client.embeddings.create(model="nomic-embed", input=["the quick brown fox", "hello world"])
    assert [len(row.embedding) for row in vectors.data] == [768, 768]
    assert vectors.usage.prompt_tokens > 0


def test_what_does_not_fit_the_window_is_refused_with_the_numbers(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match=r"\d+.*8192|8192.*\d+") as caught:
        client.chat.completions.create(model="phi-3-mini", messages=ask("one two three. " * 2500))
    assert caught.value.code == "context_length_exceeded"
    with pytest.raises(BadRequestError) as caught:
        client.embeddings.create(model="nomic-embed", input="one two three " * 1500)
    assert caught.value.code == "context_length_exceeded"


def test_ollama_stops_when_the_client_leaves(server: Running, key: str) -> None:
    """A model that is free answers a second request promptly: had the first gone on, it would wait behind it."""
    body = {"model": "phi-3-mini", "messages": ask("Write a long story"), "stream": True}
    with Client(server.url, timeout_s=60) as client:
        client.ask("/v1/chat/completions", body, key)
        client.read_until(b"data: ", 3)
    deadline = time.monotonic() + 5
    while '"client_gone"' not in server.logs():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_many_streams_at_once_never_mix(server: Running, key: str) -> None:
    answers: list[set[str]] = []

    def run() -> None:
        with requests.post(
            f"{server.url}/v1/chat/completions",
            headers={"Authorization": f"Bearer {key}"},
            json={"model": "phi-3-mini", "messages": ask("hi"), "stream": True, "temperature": 0},
            stream=True,
            timeout=120,
        ) as answer:
            lines = [line[6:] for line in answer.iter_lines() if line.startswith(b"data: ")]
        assert lines[-1] == b"[DONE]"
        answers.append({json.loads(line)["id"] for line in lines[:-1]})

    threads = [threading.Thread(target=run) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set.union(*answers)) == len(answers) == 20
