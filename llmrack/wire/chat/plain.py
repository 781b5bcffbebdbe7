"""A chat completion as one JSON object, from the lines of Ollama's /api/chat."""

from __future__ import annotations

from typing import Any

from .. import sse
from ..ollama import Reply
from ..parsed import Tally, Usage
from . import logprobs
from .answer import Asked, ChatAnswer


class ChatPlain(ChatAnswer):
    """Collects an answer. One that is not what was asked for is asked for once more before it becomes an error."""

    def __init__(self, ask: Asked, id: str, created: int) -> None:
        super().__init__(ask, id, created, "chat.completion")
        self._clear()
        self._first_usage: Usage | None = None

    def _clear(self) -> None:
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._logprobs: list[dict[str, Any]] = []

    @property
    def usage(self) -> Usage:
        """Of the answer that is given: a repair is our own affair and is not charged on top."""
        usage = self._tally.usage
        if self._first_usage is not None:
            return Usage(self._first_usage.prompt_tokens, usage.completion_tokens, self._first_usage.cached_tokens)
        return usage

    def feed(self, choice: int, replies: list[Reply]) -> None:
        for reply in replies:
            self._tally.note(reply)
            message = reply.message
            if message is None:
                continue
            if message.content:
                self._tally.pieces += 1
                self._texts.append(message.content)
            if message.thinking:
                self._tally.pieces += 1
                self._thoughts.append(message.thinking)
            elif reply.logprobs and self._ask.top_logprobs is not None:
                self._logprobs += logprobs.chat(reply.logprobs)
            if message.tool_calls:
                self._noted_calls(message.tool_calls)

    def repair(self, output_tokens: int) -> dict[str, Any] | None:
        text = "".join(self._texts)
        if self._first_usage is not None or self._tally.is_cut or self._calls.made:
            return None
        fault = self._fault(text)
        if fault is None:
            return None
        self._first_usage = self._tally.usage
        self._clear()
        self._tally = Tally(self._ask.model, self._ask.prompt_tokens)
        conversation = [
            *self._ask.conversation.messages,
            {"role": "assistant", "content": text},
            {"role": "user", "content": f"That is not right: {fault}. Answer again, with the corrected JSON only."},
        ]
        return self._ask.body(conversation, min(output_tokens, self._ask.output_tokens))

    def message(self) -> dict[str, Any]:
        """The finished answer as OpenAI's message, which every dialect writes in its own form.

        Raises UpstreamError when it cannot pass as success.
        """
        self._tally.require_end()
        message: dict[str, Any] = {"role": "assistant", "content": self._settled("".join(self._texts))}
        if self._thoughts:
            message["reasoning_content"] = "".join(self._thoughts)
        if self._calls.made:
            message["tool_calls"] = self._calls.made
        return message

    def body(self) -> bytes:
        choice: dict[str, Any] = {"index": 0, "message": self.message()}
        if self._ask.top_logprobs is not None:
            choice["logprobs"] = {"content": self._logprobs}
        choice["finish_reason"] = self._finish_reason
        return sse.encode({**self._head, "choices": [choice], "usage": self.usage.body()})
