"""A streamed response: named, numbered events, in which every item is opened and closed."""

from __future__ import annotations

from typing import Any

from ...errors import ApiError
from .. import sse
from ..chat.stream import StreamedAnswer
from ..ollama import Reply
from . import answer
from .answer import AskedResponse

_DELTA = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":'


class ResponsesStream(StreamedAnswer):
    """Reasoning, text and calls may alternate: each change closes the item that is open, and opens the next."""

    def __init__(self, ask: AskedResponse, id: str, created: int) -> None:
        super().__init__(ask, id, created)
        self._echo = ask.echo
        self._items = answer.Items(id, ask.offers, is_reasoning_wrapped=ask.is_reasoning_wrapped)
        self._number = 0
        self._output: list[dict[str, Any]] = []
        self._thoughts = 0
        # The item that is open: its kind and id, the text so far, and what stands around each piece of text.
        self._open: str | None = None
        self._id = ""
        self._pieces: list[str] = []
        self._entries: list[dict[str, Any]] = []
        self._before = b""

    def feed(self, choice: int, replies: list[Reply]) -> bytes:
        if self._number:
            return super().feed(choice, replies)
        return self._opening() + super().feed(choice, replies)

    def ping(self, note: str) -> bytes:
        """An event: agents that give up on a silent stream do not count comments as a sign of life."""
        return self._event("response.in_progress", response=self._response("in_progress", []))

    def _opening(self) -> bytes:
        response = self._response("in_progress", [])
        return self._event("response.created", response=response) + self._event(
            "response.in_progress", response=response
        )

    def _response(self, status: str, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        return answer.response_body(self._head, self._echo, status, output, **more)

    def _event(self, kind: str, **fields: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        data = sse.encode({"type": kind, "sequence_number": number, **fields})
        return b"event: " + kind.encode() + b"\ndata: " + data + sse.END

    def _in_item(self, kind: str, **fields: Any) -> bytes:
        return self._event(kind, item_id=self._id, output_index=len(self._output), **fields)

    def _write_text(self, content: str, out: list[bytes]) -> None:
        if self._open != "message":
            self._open_message(out)
        self._pieces.append(content)
        logprobs = b"[]"
        if self._logprobs:
            logprobs = sse.encode(self._logprobs)
            self._entries += self._logprobs
            self._logprobs = []
        number, self._number = self._number, self._number + 1
        out.append(
            b'%b%d%b%b,"logprobs":%b}%b' % (_DELTA, number, self._before, sse.encode(content), logprobs, sse.END)
        )

    def _open_message(self, out: list[bytes]) -> None:
        self._close_item(out)
        self._open, self._id = "message", self._items.id("msg", len(self._output))
        place = sse.encode({"item_id": self._id, "output_index": len(self._output), "content_index": 0})
        self._before = b"," + place[1:-1] + b',"delta":'
        item = self._items.message(self._id, None, [], "in_progress")
        out.append(self._event("response.output_item.added", output_index=len(self._output), item=item))
        out.append(self._in_item("response.content_part.added", content_index=0, part=answer.part("", [])))

    def _write_reasoning(self, thinking: str, out: list[bytes]) -> None:
        if self._open != "reasoning":
            self._close_item(out)
            self._open, self._id = "reasoning", self._items.id("rs", len(self._output))
            item = {"id": self._id, "type": "reasoning", "summary": []}
            part = {"type": "summary_text", "text": ""}
            out.append(self._event("response.output_item.added", output_index=len(self._output), item=item))
            out.append(self._in_item("response.reasoning_summary_part.added", summary_index=0, part=part))
        self._thoughts += 1
        self._pieces.append(thinking)
        out.append(self._in_item("response.reasoning_summary_text.delta", summary_index=0, delta=thinking))

    def _write_calls(self, made: list[dict[str, Any]], first: int, out: list[bytes]) -> None:
        self._close_item(out)
        for call in made:
            item = self._items.call(call, len(self._output))
            self._id = item["id"]
            if item["type"] == "function_call":
                key, kind, named = "arguments", "response.function_call_arguments", {"name": item["name"]}
            else:
                key, kind, named = "input", "response.custom_tool_call_input", {}
            begun = {**item, key: "", "status": "in_progress"}
            out.append(self._event("response.output_item.added", output_index=len(self._output), item=begun))
            out.append(self._in_item(f"{kind}.delta", delta=item[key]))
            out.append(self._in_item(f"{kind}.done", **named, **{key: item[key]}))
            self._item_done(item, out)

    def _close_item(self, out: list[bytes], status: str = "completed") -> None:
        if self._open is None:
            return
        text = "".join(self._pieces)
        if self._open == "message":
            # What is told with the last pieces may have come without text of its own.
            self._entries += self._logprobs
            self._logprobs = []
            part = answer.part(text, self._entries)
            out.append(self._in_item("response.output_text.done", content_index=0, text=text, logprobs=self._entries))
            out.append(self._in_item("response.content_part.done", content_index=0, part=part))
            item = self._items.message(self._id, text, self._entries, status)
        else:
            part = {"type": "summary_text", "text": text}
            out.append(self._in_item("response.reasoning_summary_text.done", summary_index=0, text=text))
            out.append(self._in_item("response.reasoning_summary_part.done", summary_index=0, part=part))
            item = self._items.reasoning(self._id, text)
        self._open, self._pieces, self._entries = None, [], []
        self._item_done(item, out)

    def _item_done(self, item: dict[str, Any], out: list[bytes]) -> None:
        out.append(self._event("response.output_item.done", output_index=len(self._output), item=item))
        self._output.append(item)

    def _write_end(self, out: list[bytes]) -> None:
        status = "incomplete" if self._tally.is_cut else "completed"
        has_answer = self._open == "message" or any(item["type"] != "reasoning" for item in self._output)
        if not has_answer:
            self._open_message(out)
        self._close_item(out, status)
        usage = answer.usage_body(self._tally.usage, self._thoughts)
        out.append(self._event(f"response.{status}", response=self._response(status, self._output, usage=usage)))

    def failure(self, error: ApiError) -> bytes:
        """Both ends that clients look for: some know only the first event as a failure, the others only the second."""
        opening = b"" if self._number else self._opening()
        told = {"code": error.code, "message": error.message, "param": error.param}
        usage = answer.usage_body(self.usage, self._thoughts)
        response = self._response("failed", self._output, usage=usage, error=error)
        return (
            opening
            + self._event("error", **told, error=error.body())
            + self._event("response.failed", response=response)
        )
