"""The replies of Ollama's native API as values (api/types.go of ollama/ollama), decoded line by line.

Every field is optional because Ollama leaves out zeros and older servers leave out whole fields.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Function(msgspec.Struct):
    name: str = ""
    arguments: dict[str, Any] = {}
    index: int | None = None


class ToolCall(msgspec.Struct):
    function: Function
    id: str | None = None


class Message(msgspec.Struct):
    role: str = "assistant"
    content: str = ""
    thinking: str | None = None
    tool_calls: list[ToolCall] | None = None


class Reply(msgspec.Struct):
    """One line of /api/chat (`message`) or /api/generate (`response`); counters stand on the line with `done: true`.

    Durations are nanoseconds. A line with `error` ends the stream.
    """

    message: Message | None = None
    response: str = ""
    thinking: str | None = None
    done: bool = False
    done_reason: str | None = None
    error: Any = None
    logprobs: list[dict[str, Any]] | None = None
    prompt_eval_count: int | None = None
    prompt_eval_cached_count: int | None = None
    eval_count: int | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_duration: int | None = None
    eval_duration: int | None = None


class EmbedReply(msgspec.Struct):
    """The answer of /api/embed: one L2-normalised vector per input; the count is the sum over the inputs."""

    embeddings: list[list[float]] = []
    prompt_eval_count: int | None = None
    total_duration: int | None = None
    load_duration: int | None = None
