"""Ollama's own Python client against a real server: with a key in its header, and else as on one's own machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ollama
import pytest
from ollama import Client

from tests.support.testmode import Started


@pytest.fixture(scope="module")
def local(sandboxed: Started) -> Iterator[Client]:
    with Client(host=sandboxed.server.url, headers={"Authorization": f"Bearer {sandboxed.key}"}, timeout=20) as client:
        yield client


def get_weather(city: str) -> str:
    """Get current weather for a city

    Args:
      city: The city

    Returns:
      str: The weather
    """
    return f'{{"city": "{city}"}}'


def test_a_chat_is_an_object_of_the_client(local: Client) -> None:
    messages = [{"role": "user", "content": "Reply with the single word PONG"}]
    reply = local.chat("phi3:mini", messages)
    assert (reply.message.content, reply.model, reply.done_reason) == ("PONG.", "phi3:mini", "stop")
    assert (reply.prompt_eval_count, reply.eval_count) == (18, 4)
    assert reply.total_duration
    assert reply.created_at


def test_a_chat_streams(local: Client) -> None:
    parts = list(local.chat("phi-3-mini", [{"role": "user", "content": "Count from 1 to 5"}], stream=True))
    assert "".join(part.message.content or "" for part in parts) == "Here it goes: 1, 2, 3, 4, 5."
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]


@pytest.mark.parametrize("stream", [True, False])
def test_a_function_is_called_and_its_result_read(local: Client, *, stream: bool) -> None:
    messages: list[Any] = [{"role": "user", "content": "Weather in Paris?"}]
    reply: Any = local.chat("llama3.1:8b", messages, tools=[get_weather], stream=stream)
    said = [part.message for part in (reply if stream else [reply])]
    calls = [call for message in said for call in message.tool_calls or []]
    assert [(call.function.name, call.function.arguments) for call in calls] == [("get_weather", {"city": "Paris"})]
    messages += [
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_name": "get_weather", "content": "18 degrees and cloudy"},
    ]
    after = local.chat("llama3.1:8b", messages, tools=[get_weather])
    assert after.message.content
    assert not after.message.tool_calls


def test_a_schema_is_kept(local: Client) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    reply = local.chat("llama3.1:8b", [{"role": "user", "content": "A number"}], format=schema)
    assert '"n"' in (reply.message.content or "")


def test_generate_whole_and_streamed(local: Client) -> None:
    whole = local.generate("phi3:mini", "Count from 1 to 5", options={"temperature": 0, "num_ctx": 2048})
    assert whole.response == "Here it goes: 1, 2, 3, 4, 5."
    parts = list(local.generate("phi3:mini", "Count from 1 to 5", stream=True))
    assert "".join(part.response for part in parts) == whole.response
    assert parts[-1].done_reason == "stop"
    assert local.generate("phi3:mini").done_reason == "load"


def test_embeddings(local: Client) -> None:
    reply = local.embed("nomic-embed-text", ["a", "b"], dimensions=256)
    assert [len(vector) for vector in reply.embeddings] == [256, 256]
    assert reply.prompt_eval_count
    assert len(local.embeddings("nomic-embed-text", "a").embedding) == 768


def test_models_are_listed_and_described(local: Client) -> None:
    names = [model.model for model in local.list().models]
    assert "phi3:mini" in names
    shown = local.show("llama3.1:8b")
    assert shown.capabilities is not None
    assert "tools" in shown.capabilities
    assert shown.modelinfo is not None
    assert shown.modelinfo["llama.context_length"]
    assert local.ps().models == []


def test_errors_have_their_sentence_and_status(local: Client, sandboxed: Started) -> None:
    stranger = Client(host=sandboxed.server.url)
    for ask, status, part in (
        (lambda: local.chat("nope", [{"role": "user", "content": "hi"}]), 404, "not found"),
        (lambda: local.pull("phi3:mini"), 403, "operator"),
        (lambda: local.delete("phi3:mini"), 403, "operator"),
        (lambda: local.chat("phi3:mini", [{"role": "user", "content": "[test:error 429]"}]), 429, ""),
        (lambda: stranger.list(), 401, "key"),
    ):
        with pytest.raises(ollama.ResponseError) as raised:
            ask()
        assert raised.value.status_code == status
        assert part in raised.value.error
        assert not raised.value.error.startswith("{")
    stranger.close()
