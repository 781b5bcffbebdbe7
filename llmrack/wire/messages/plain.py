"""A message as one JSON object."""

from __future__ import annotations

from typing import Any

from .. import sse
from ..chat.plain import ChatPlain
from . import answer


class MessagesPlain(ChatPlain):
    """Blocks in the order in which a model makes them: thoughts, text, calls."""

    def body(self) -> bytes:
        said = self.message()
        content: list[dict[str, Any]] = []
        if thoughts := said.get("reasoning_content"):
            content.append({"type": "thinking", "thinking": thoughts, "signature": answer.SIGNATURE})
        if said["content"]:
            content.append({"type": "text", "text": said["content"]})
        content += map(answer.tool_use, said.get("tool_calls", ()))
        usage = self.usage
        stop = answer.stop_reason(self._finish_reason, usage, self._ask.output_tokens)
        return sse.encode(answer.message(self._head, content, stop, answer.counts(usage)))
