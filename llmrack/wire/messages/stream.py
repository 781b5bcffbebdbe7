"""A streamed message: named events, one block open at a time."""

from __future__ import annotations

from typing import Any

from ...errors import ApiError
from .. import sse
from ..chat.answer import Asked
from ..chat.stream import StreamedAnswer
from ..ollama import Reply
from ..parsed import Usage
from . import answer, errors

_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_DELTA_END = b"}}\n\n"


class MessagesStream(StreamedAnswer):
    """Every change of kind closes the block that is open, and opens the next."""

    def __init__(self, ask: Asked, id: str, created: int) -> None:
        super().__init__(ask, id, created)
        self._index = -1
        self._open: str | None = None
        self._has_begun = False
        self._before = b""

    def feed(self, choice: int, replies: list[Reply]) -> bytes:
        begun = self._beginning() if replies else b""
        return begun + super().feed(choice, replies)

    def _beginning(self) -> bytes:
        if self._has_begun:
            return b""
        self._has_begun = True
        usage = answer.counts(Usage(self._ask.prompt_tokens, 1))
        message = answer.message(self._head, [], None, usage)
        return _event("message_start", message=message)

    def ping(self, note: str) -> bytes:
        """An event: programs that watch for a sign of life do not count comments."""
        return _PING

    def _write_text(self, content: str, out: list[bytes]) -> None:
        if self._open != "text":
            self._start({"type": "text", "text": ""}, out)
            self._before = _delta_start(self._index, b'"text_delta","text":')
        out += (self._before, sse.encode(content), _DELTA_END)

    def _write_reasoning(self, thinking: str, out: list[bytes]) -> None:
        if self._open != "thinking":
            self._start({"type": "thinking", "thinking": "", "signature": ""}, out)
            self._before = _delta_start(self._index, b'"thinking_delta","thinking":')
        out += (self._before, sse.encode(thinking), _DELTA_END)

    def _write_calls(self, made: list[dict[str, Any]], first: int, out: list[bytes]) -> None:
        for call in made:
            function = call["function"]
            block = {"type": "tool_use", "id": answer.tool_use_id(call["id"]), "name": function["name"], "input": {}}
            self._start(block, out)
            # Programs that take the input from the block's start would call the tool with nothing.
            before = _delta_start(self._index, b'"input_json_delta","partial_json":')
            out += (before, sse.encode(function["arguments"]), _DELTA_END)

    def _start(self, block: dict[str, Any], out: list[bytes]) -> None:
        self._stop(out)
        self._index += 1
        self._open = block["type"]
        out.append(_event("content_block_start", index=self._index, content_block=block))

    def _stop(self, out: list[bytes]) -> None:
        if self._open == "thinking":
            before = _delta_start(self._index, b'"signature_delta","signature":')
            out += (before, sse.encode(answer.SIGNATURE), _DELTA_END)
        if self._open is not None:
            out.append(_event("content_block_stop", index=self._index))
        self._open = None

    def _write_end(self, out: list[bytes]) -> None:
        out.insert(0, self._beginning())
        self._stop(out)
        usage = self.usage
        stop = answer.stop_reason(self._finish_reason, usage, self._ask.output_tokens)
        delta = {"stop_reason": stop, "stop_sequence": None}
        out.append(_event("message_delta", delta=delta, usage=answer.counts(usage)))
        out.append(_event("message_stop"))

    def failure(self, error: ApiError) -> bytes:
        return b"event: error\ndata: " + errors.envelope(error) + sse.END


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + sse.encode({"type": kind, **fields}) + sse.END


def _delta_start(index: int, kind: bytes) -> bytes:
    """Up to the value of a delta; `kind` is its type and the name of the value."""
    return (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":' % index
    ) + kind
