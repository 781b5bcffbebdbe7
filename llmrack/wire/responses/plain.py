"""A response as one JSON object."""

from __future__ import annotations

from typing import Any

from .. import sse
from ..chat.plain import ChatPlain
from . import answer
from .answer import AskedResponse


class ResponsesPlain(ChatPlain):
    """The items stand in the order in which models make them: reasoning, text, calls."""

    def __init__(self, ask: AskedResponse, id: str, created: int) -> None:
        super().__init__(ask, id, created)
        self._echo = ask.echo
        self._items = answer.Items(id, ask.offers, is_reasoning_wrapped=ask.is_reasoning_wrapped)

    def body(self) -> bytes:
        message = self.message()
        status = "incomplete" if self._tally.is_cut else "completed"
        output: list[dict[str, Any]] = []
        if thinking := message.get("reasoning_content"):
            output.append(self._items.reasoning(self._items.id("rs", 0), thinking))
        calls = message.get("tool_calls", [])
        if message["content"] or not calls:
            id_ = self._items.id("msg", len(output))
            output.append(self._items.message(id_, message["content"], self._logprobs, status))
        for call in calls:
            output.append(self._items.call(call, len(output)))
        usage = answer.usage_body(self.usage, len(self._thoughts))
        return sse.encode(answer.response_body(self._head, self._echo, status, output, usage=usage))
