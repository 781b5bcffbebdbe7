"""Short ways to parse a request for a response, and to read its events."""

from __future__ import annotations

import json
from typing import Any

from llmrack.wire.ollama import Reply
from llmrack.wire.parsed import Features
from llmrack.wire.responses import request as responses_request
from llmrack.wire.responses.request import ResponsesRequest
from tests.wire.support import CATALOG, encoded

WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PATCH: dict[str, Any] = {"type": "custom", "name": "patch", "description": "Change files."}
CREATED = 1776587146


def ask(**fields: Any) -> ResponsesRequest:
    request = {"model": "llama-3.1-8b", "input": "hi", **fields}
    return responses_request.parse(encoded(request), CATALOG, Features())


def messages(items: Any, **fields: Any) -> Any:
    """What Ollama is told."""
    parsed = ask(input=items, **fields)
    return parsed.bodies(parsed.output_tokens)[0]["messages"]


def events(data: bytes) -> list[Any]:
    """The JSON of every event, which has its own name."""
    found = []
    for block in data.decode().split("\n\n")[:-1]:
        name, _, line = block.partition("\n")
        event = json.loads(line.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


def streamed(*replies: Reply, **fields: Any) -> list[Any]:
    stream = ask(stream=True, **fields).open_stream("resp_7", CREATED)
    return events(b"".join(stream.feed(0, [reply]) for reply in replies) + stream.close())


def plain(*replies: Reply, **fields: Any) -> Any:
    answer = ask(**fields).open_plain("resp_7", CREATED)
    answer.feed(0, list(replies))
    return json.loads(answer.body())
