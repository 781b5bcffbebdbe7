"""Short ways to parse requests and to make Ollama's lines."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from llmrack import catalog
from llmrack.catalog import Catalog
from llmrack.wire import completions, embeddings
from llmrack.wire.chat import request as chat_request
from llmrack.wire.chat.request import ChatRequest
from llmrack.wire.completions import CompletionRequest
from llmrack.wire.embeddings import EmbeddingRequest
from llmrack.wire.ollama import Function, Message, Reply, ToolCall
from llmrack.wire.parsed import Features


def everything() -> Catalog:
    """The shipped catalogue with its disabled examples switched on."""
    return Catalog(tuple(replace(model, enabled=True) for model in catalog.load().all))


CATALOG = everything()
MESSAGES = [{"role": "user", "content": "hi"}]
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get current weather for a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def chat_ask(features: Features = Features(), **fields: Any) -> ChatRequest:  # noqa: B008
    return chat_request.parse(encoded({"model": "llama-3.1-8b", "messages": MESSAGES, **fields}), CATALOG, features)


def text_ask(features: Features = Features(), **fields: Any) -> CompletionRequest:  # noqa: B008
    return completions.parse(encoded({"model": "phi-3-mini", "prompt": "hi", **fields}), CATALOG, features)


def embed_ask(**fields: Any) -> EmbeddingRequest:
    return embeddings.parse(encoded({"model": "nomic-embed", "input": "hi", **fields}), CATALOG)


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


def body_of(ask: ChatRequest | CompletionRequest) -> dict[str, Any]:
    return ask.bodies(ask.output_tokens)[0]


def say(content: str = "", **more: Any) -> Reply:
    """A line of /api/chat that is not the last one."""
    return Reply(message=Message(content=content, **more))


def call(name: str = "get_weather", index: int | None = 0, **arguments: Any) -> ToolCall:
    return ToolCall(Function(name, arguments, index))


def end(content: str = "", reason: str | None = "stop", **more: Any) -> Reply:
    counts = {"prompt_eval_count": 18, "eval_count": 4, **more}
    return Reply(message=Message(content=content), done=True, done_reason=reason, **counts)


def events(data: bytes) -> list[Any]:
    """The JSON of every event; `[DONE]` as that string."""
    assert data == b"" or data.endswith(b"\n\n")
    payloads = [event.removeprefix(b"data: ") for event in data.split(b"\n\n")[:-1]]
    return [text.decode() if text == b"[DONE]" else json.loads(text) for text in payloads]
