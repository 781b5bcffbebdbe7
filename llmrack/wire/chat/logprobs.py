"""Log-probabilities: Ollama's entries as each endpoint writes them.

Ollama's entry is OpenAI's own of chat: {"token", "logprob", "bytes", "top_logprobs": [{"token", "logprob", "bytes"}]}.
"""

from __future__ import annotations

from typing import Any

# What OpenAI's API gives for a token too unlikely to matter; minus infinity is not JSON.
LEAST = -9999.0


def chat(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**_entry(entry), "top_logprobs": [_entry(other) for other in entry.get("top_logprobs") or ()]}
        for entry in entries
    ]


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    token = str(entry.get("token", ""))
    return {
        "token": token,
        "logprob": _logprob(entry),
        "bytes": entry.get("bytes") or list(token.encode("utf-8", "replace")),
    }


def _logprob(entry: dict[str, Any]) -> float:
    value = entry.get("logprob")
    # Ollama leaves out zeros: a token that was certain.
    return float(value) if isinstance(value, int | float) else 0.0


def completions(entries: list[dict[str, Any]], offset: int, count: int) -> dict[str, Any]:
    """The older form, in columns: {"tokens", "token_logprobs", "top_logprobs", "text_offset"}."""
    columns: dict[str, Any] = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
    for entry in entries:
        token = str(entry.get("token", ""))
        columns["tokens"].append(token)
        columns["token_logprobs"].append(_logprob(entry))
        columns["top_logprobs"].append(
            {str(other.get("token", "")): _logprob(other) for other in entry.get("top_logprobs") or ()}
            if count
            else None
        )
        columns["text_offset"].append(offset)
        offset += len(token)
    return columns
