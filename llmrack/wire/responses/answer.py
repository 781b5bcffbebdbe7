"""What answers have in common, sent whole or as events: the response object, its items and its usage."""

from __future__ import annotations

import time
from typing import Any, Protocol

from ...errors import ApiError
from ..chat.answer import Asked
from ..parsed import Usage
from . import offers, reasoning
from .offers import Offers

# What agents know to be final, or to be worth a wait; every other word means a failure of the server to them.
_CODES = {"context_length_exceeded": "context_length_exceeded", "rate_limit_exceeded": "rate_limit_exceeded"}


class AskedResponse(Asked, Protocol):
    """What an answer needs to know of its request, which is a `responses.request.ResponsesRequest`."""

    offers: Offers
    echo: dict[str, Any]
    is_reasoning_wrapped: bool


def usage_body(usage: Usage, reasoning_tokens: int) -> dict[str, Any]:
    """Every number is there in every answer: agents repeat a whole turn whose counts have a gap."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens or 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": min(reasoning_tokens, usage.completion_tokens)},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def response_body(
    head: dict[str, Any],
    echo: dict[str, Any],
    status: str,
    output: list[dict[str, Any]],
    *,
    usage: dict[str, Any] | None = None,
    error: ApiError | None = None,
) -> dict[str, Any]:
    return {
        "id": head["id"],
        "object": "response",
        "created_at": head["created"],
        "completed_at": max(head["created"], int(time.time())) if status == "completed" else None,
        "status": status,
        "error": None
        if error is None
        else {"code": _CODES.get(error.code or "", "server_error"), "message": error.message},
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "model": head["model"],
        "output": output,
        **echo,
        "usage": usage,
    }


class Items:
    """Makes the items of one answer. Their ids are made of the answer's, so that they are unique for ever."""

    def __init__(self, answer_id: str, offered: Offers, *, is_reasoning_wrapped: bool) -> None:
        self._middle = answer_id.partition("_")[2]
        self._offered = offered
        self._is_reasoning_wrapped = is_reasoning_wrapped

    def id(self, prefix: str, index: int) -> str:
        return f"{prefix}_{self._middle}_{index}"

    def message(self, id: str, text: str | None, logprobs: list[dict[str, Any]], status: str) -> dict[str, Any]:
        content = [] if text is None else [part(text, logprobs)]
        return {"id": id, "type": "message", "status": status, "role": "assistant", "content": content}

    def reasoning(self, id: str, text: str) -> dict[str, Any]:
        item: dict[str, Any] = {"id": id, "type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}
        if self._is_reasoning_wrapped:
            item["encrypted_content"] = reasoning.wrapped(text)
        return item

    def call(self, call: dict[str, Any], index: int) -> dict[str, Any]:
        """A call in OpenAI's form of chat as the item of the tool's own kind."""
        function = call["function"]
        item = offers.call_item(self._offered.made(function["name"]), call["id"], function["arguments"])
        prefix = "fc" if item["type"] == "function_call" else "ctc"
        return {"id": self.id(prefix, index), **item, "status": "completed"}


def part(text: str, logprobs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}
