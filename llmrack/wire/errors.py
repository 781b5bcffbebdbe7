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


def from_ollama(status: int, body: Any, model: Model | None = None, prompt_param: str | None = None) -> ApiError:
    """What an error of Ollama's native API means for our client.

    `body` is the response, or the value of `error` from a line of a stream; `prompt_param` the field of the request
    that holds the prompt. Only the prompt's length and the fields we know to depend on a model are the client's doing:
    any other 400 comes from what we sent.
    """
    text = _text(body)
    name = model.id if model else "The model"
    if _TOO_LONG.search(text):
        return _too_long(text + _plain(body), name, model, prompt_param)
    for pattern, meaning in _MEANINGS:
        if pattern.search(text):
            return meaning(name)
    if status == 404:
        return not_installed(name)
    if status == 503:
        return _busy(name)
    how = "while it answered" if status == 200 else f"with status {status}"
    return UpstreamError(f"The model server failed {how}. Retry is safe.")


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


def _too_long(said: str, name: str, model: Model | None, param: str | None) -> ApiError:
    """With both numbers where the runner names them, as "(9000 tokens)" in its sentence or as n_prompt_tokens and
    n_ctx beside it; else with the window that the catalogue gives the model."""
    numbers = sorted({int(digits) for digits in _COUNTS.findall(said)})
    if len(numbers) == 2:
        return too_long(name, numbers[-1], numbers[0], param)
    return _longer_than(name, f", which holds {model.num_ctx} tokens" if model else "", param)


def too_long(name: str, prompt_tokens: int, window_tokens: int, param: str | None = None) -> ApiError:
    """A prompt that does not fit the window of the model of that name."""
    return _longer_than(name, f": it has {prompt_tokens} tokens, the context holds {window_tokens}", param)


def _longer_than(name: str, counts: str, param: str | None) -> ApiError:
    return InvalidRequest(
        f"The input is longer than the context of {_inside(name)}{counts}. Send less; nothing was cut.",
        param=param,
        code="context_length_exceeded",
    )


def _lacks(param: str) -> Callable[[str], ApiError]:
    def meaning(name: str) -> ApiError:
        return InvalidRequest(f"{name} does not support {param}.", param=param, code="unsupported_parameter")

    return meaning


def not_installed(name: str) -> ApiError:
    return UpstreamError(
        f"{name} is on offer but not installed on the model server. Its operator can pull it.",
        code="model_not_installed",
    )


def _busy(name: str) -> ApiError:
    return UpstreamError(
        f"The model server has too many requests waiting for {_inside(name)}. Retry is safe.",
        code="upstream_busy",
        retry_after_s=BUSY_RETRY_AFTER_S,
    )


def _died(name: str) -> ApiError:
    return UpstreamError(
        f"The model server stopped while it ran {_inside(name)}, often for want of memory. Retry is safe.",
        code="upstream_died",
    )


def _lacks_memory(name: str) -> ApiError:
    return UpstreamError(
        f"The model server has too little free memory for {_inside(name)}. Its operator can give it a smaller window.",
        code="upstream_out_of_memory",
    )


def _inside(name: str) -> str:
    """The name as it stands inside a sentence."""
    return "the model" if name == "The model" else name


def _bad_call(name: str) -> ApiError:
    return UpstreamError(f"{name} wrote a tool call that does not parse. Retry is safe.", code="invalid_tool_call")


# What Ollama and its runners say, as fragments. The two generations differ: up to 0.29 Ollama ran models in an engine
# of its own (llm/server.go, runner/ollamarunner), since 0.30 in llama.cpp's server (llm/llama_server.go).
_TOO_LONG = re.compile(
    "|".join(
        (
            r"exceed_context_size",  # The type of llama.cpp's own error, since 0.30: tools/server/utils.hpp.
            r"exceeds the available context",  # Its sentence, with both counts.
            r"longer than the context length",  # Both, /api/chat and /api/generate with truncate: false.
            r"exceeds (the|maximum) context length",  # Both, /api/embed with truncate: false; up to 0.6 "maximum".
        )
    ),
    re.IGNORECASE,
)
_COUNTS = re.compile(r"(?:\(|n_prompt_tokens\D{1,6}|n_ctx\D{1,6})(\d{1,9})")

_MEANINGS: tuple[tuple[re.Pattern[str], Callable[[str], ApiError]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), meaning)
    for pattern, meaning in (
        # server/routes.go, both generations.
        (r"does not support tools", _lacks("tools")),
        (r"does not support insert", _lacks("suffix")),
        (r"does not support thinking", _lacks("reasoning_effort")),
        (r"does not support (chat|generate|embed)", _lacks("model")),
        (r"model ['\"]?[^'\"]*['\"]? not found", not_installed),
        (r"server busy|maximum pending requests", _busy),
        # llm/server.go and server/sched.go: before a model is loaded.
        (r"requires more system memory|cudaMalloc failed|out of memory", _lacks_memory),
        # A runner that ends: "llama runner process has terminated", "... has unexpectedly stopped" (llm/server.go),
        # "signal: killed" (os/exec's, behind both), and what a reader of the ended runner's stream sees:
        # "an error was encountered while running the model: unexpected EOF" (llm/server.go).
        (r"unexpectedly stopped|process has terminated|process (exited|no longer running)", _died),
        (r"signal: killed|unexpected EOF|while running the model", _died),
        (r"invalid tool call arguments", _bad_call),
    )
)
