"""What a finished chat answer is: text, or calls of tools, and whether it keeps what was promised about it."""

from __future__ import annotations

from typing import Any, Protocol

from ...catalog import Model
from ...errors import UpstreamError
from ..ollama import ToolCall
from ..parsed import Tally, length_bytes
from . import tool_calls
from .messages import Conversation
from .response_format import Format
from .tools import Tool


class Asked(Protocol):
    """What an answer needs to know of its request, which is a `chat.ChatAsk`."""

    model: Model
    prompt_tokens: int
    output_tokens: int
    conversation: Conversation
    written: list[Tool]
    must_call: bool
    is_parallel: bool
    format: Format | None
    top_logprobs: int | None
    has_usage_chunk: bool

    def body(self, conversation: list[dict[str, Any]], output_tokens: int) -> dict[str, Any]: ...


class ChatAnswer:
    """The calls and counts of one answer, whether it is sent whole or in chunks."""

    def __init__(self, ask: Asked, id: str, created: int, kind: str) -> None:
        self._ask = ask
        self._head = {"id": id, "object": kind, "created": created, "model": ask.model.id}
        self._tally = Tally(ask.model, ask.prompt_tokens)
        self._calls = tool_calls.Calls(id, only_one=not ask.is_parallel or ask.must_call)

    @property
    def _finish_reason(self) -> str:
        """`length` stays `length` even with calls: the answer is not all there."""
        if self._tally.is_cut:
            return "length"
        return "tool_calls" if self._calls.made else "stop"

    def _settled(self, content: str) -> str:
        """The text to show of a finished answer; a call written as text is made a call instead.

        Raises UpstreamError when the answer breaks a promise. One that was cut at its length promises nothing more.
        """
        if self._calls.made:
            return "" if self._ask.must_call else content
        if self._tally.is_cut:
            return content
        fault = self._fault(content)
        if fault is not None:
            raise UpstreamError(
                f"The model's answer is not what was asked for: {fault}. Retry is safe.", code="invalid_answer"
            )
        if self._is_call(content):
            self._calls.make(*tool_calls.written_call(self._ask.written, content)[0])
            return ""
        return content

    def _fault(self, content: str) -> str | None:
        """What is wrong with a finished text that must be a call, or hold a format; None when nothing is."""
        ask = self._ask
        if ask.must_call:
            return tool_calls.written_call(ask.written, content)[1]
        if ask.format is None or self._is_call(content):
            return None
        return ask.format.fault(content)

    def _is_call(self, content: str) -> bool:
        """Whether a text is a call of a tool; a text that holds the client's own schema is the answer instead."""
        ask = self._ask
        if not ask.written or tool_calls.written_call(ask.written, content)[1] is not None:
            return False
        return ask.must_call or ask.format is None or not ask.format.is_held_by(content)

    def _noted_calls(self, made: list[ToolCall]) -> list[dict[str, Any]]:
        """The calls of a line, numbered; about as many tokens as they have are counted until the server counts."""
        noted = self._calls.add(made)
        self._tally.pieces += sum(call_tokens(call) for call in noted)
        return noted


def call_tokens(call: dict[str, Any]) -> int:
    function = call["function"]
    return 1 + (len(function["name"]) + length_bytes(function["arguments"])) // 4
