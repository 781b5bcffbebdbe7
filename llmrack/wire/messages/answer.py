"""What whole and streamed answers have in common: blocks, counts, and why the answer ended."""

from __future__ import annotations

from typing import Any

import msgspec

from ..parsed import Usage

# Clients keep a thinking block for the next turn only when it is signed. Nothing here depends on the signature.
SIGNATURE = "llmrack"
_STOPS = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"}


def message(
    head: dict[str, Any], content: list[dict[str, Any]], stop: str | None, usage: dict[str, Any]
) -> dict[str, Any]:
    """The object of a message; `head` holds its id and model."""
    return {
        "id": head["id"],
        "type": "message",
        "role": "assistant",
        "model": head["model"],
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }


def stop_reason(finish_reason: str, usage: Usage, asked_tokens: int) -> str:
    """An answer that ends before it has the tokens that were asked for has filled the window."""
    if finish_reason == "length" and usage.completion_tokens < asked_tokens:
        return "model_context_window_exceeded"
    return _STOPS[finish_reason]


def counts(usage: Usage) -> dict[str, int]:
    """In this API the part of a prompt that came from a cache is not among its input tokens."""
    cached = min(usage.cached_tokens or 0, usage.prompt_tokens)
    return {
        "input_tokens": usage.prompt_tokens - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": usage.completion_tokens,
    }


def tool_use(call: dict[str, Any]) -> dict[str, Any]:
    """A block from a call in chat's form."""
    function = call["function"]
    return {
        "type": "tool_use",
        "id": tool_use_id(call["id"]),
        "name": function["name"],
        "input": msgspec.json.decode(function["arguments"]),
    }


def tool_use_id(id: str) -> str:
    return "toolu_" + id.removeprefix("call_")
