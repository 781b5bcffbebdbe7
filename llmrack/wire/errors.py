"""Failures in both directions: ours as the envelope clients read, Ollama's as errors of ours."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from ..catalog import Model
from ..errors import ApiError, InvalidRequest, UpstreamError

# Ollama is busy loading; OpenAI's SDKs wait exactly as long as they are told, up to a minute.
BUSY_RETRY_AFTER_S = 5
LONGEST_TEXT = 2000


def envelope(error: ApiError) -> bytes:
    """{"error": {"message", "type", "param", "code"}} and nothing else."""
    return msgspec.json.encode({"error": error.body()})


def from_ollama(status: int, body: Any, model: Model | None = None) -> ApiError:
    """What an error of Ollama's native API means for our client.

    `body` is the response, or the value of `error` from a line of a stream. Only the prompt's length and the fields
    we know to depend on a model are the client's doing: any other 400 comes from what we sent.
    """
    text = _text(body)
    name = model.id if model else "the model"
    if _TOO_LONG.search(text):
        return _too_long(text + _plain(body), name)
    for pattern, meaning in _MEANINGS:
        if pattern.search(text):
            return meaning(name)
    if status == 404:
        return _not_installed(name)
    if status == 503:
        return _busy(name)
    return UpstreamError(f"The model server failed (status {status}). Retry is safe.")


def _text(body: Any) -> str:
    """The innermost sentence: Ollama wraps what its runner says, which may be JSON again."""
    for _ in range(8):
        if isinstance(body, dict):
            body = body.get("error") or body.get("message") or ""
            continue
        if isinstance(body, str):
            body = body.encode("utf-8", "replace")
        if not isinstance(body, bytes):
            return str(body)[:LONGEST_TEXT]
        try:
            inner = msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError):
            break
        if not isinstance(inner, dict | str):
            break
        body = inner
    return (body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body))[:LONGEST_TEXT]


def _plain(body: Any) -> str:
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)


def _too_long(said: str, name: str) -> ApiError:
    """The runner names both numbers as "(9000 tokens)" in its sentence, or as n_prompt_tokens and n_ctx beside it."""
    numbers = sorted({int(digits) for digits in _COUNTS.findall(said)})
    counts = f": it has {numbers[-1]} tokens, the context holds {numbers[0]}" if len(numbers) == 2 else ""
    return InvalidRequest(
        f"The input is longer than the context of {name}{counts}. Send less; nothing was cut.",
        code="context_length_exceeded",
    )


def _lacks(param: str) -> Callable[[str], ApiError]:
    def meaning(name: str) -> ApiError:
        return InvalidRequest(f"{name} does not support {param}.", param=param, code="unsupported_parameter")

    return meaning


def _not_installed(name: str) -> ApiError:
    return UpstreamError(
        f"{name} is on offer but not installed on the model server. Its operator can pull it.",
        code="model_not_installed",
    )


def _busy(name: str) -> ApiError:
    return UpstreamError(
        f"The model server has too many requests waiting for {name}. Retry is safe.",
        code="upstream_busy",
        retry_after_s=BUSY_RETRY_AFTER_S,
    )


def _died(name: str) -> ApiError:
    return UpstreamError(
        f"The model server stopped while it ran {name}, often for want of memory. Retry is safe.",
        code="upstream_died",
    )


def _bad_call(name: str) -> ApiError:
    return UpstreamError(f"{name} wrote a tool call that does not parse. Retry is safe.", code="invalid_tool_call")


_TOO_LONG = re.compile(
    r"exceed_context_size|exceeds the available context|(longer than|exceeds) the context length", re.IGNORECASE
)
_COUNTS = re.compile(r"(?:\(|n_prompt_tokens\D{1,6}|n_ctx\D{1,6})(\d{1,9})")

# Fragments of what Ollama and its runner say (server/routes.go, llm/llama_server.go of ollama/ollama).
_MEANINGS: tuple[tuple[re.Pattern[str], Callable[[str], ApiError]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), meaning)
    for pattern, meaning in (
        (r"does not support tools", _lacks("tools")),
        (r"does not support insert", _lacks("suffix")),
        (r"does not support thinking", _lacks("reasoning_effort")),
        (r"does not support (chat|generate|embed)", _lacks("model")),
        (r"model ['\"]?[^'\"]*['\"]? not found", _not_installed),
        (r"server busy|maximum pending requests", _busy),
        (r"unexpectedly stopped|signal: killed", _died),
        (r"invalid tool call arguments", _bad_call),
    )
)
