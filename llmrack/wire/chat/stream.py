"""A streamed answer from the lines of Ollama's /api/chat, and its form as OpenAI's chunks."""

from __future__ import annotations

from typing import Any

from ...errors import ApiError
from .. import sse
from ..ollama import Message, Reply
from ..parsed import Usage
from . import logprobs, tool_calls
from .answer import Asked, ChatAnswer, call_tokens

_AFTER = b'},"finish_reason":null}]}' + sse.END


class StreamedAnswer(ChatAnswer):
    """What a streamed answer does in every dialect: when which piece is shown. How one is written is the dialect's.

    Text goes out as it comes, but for what may be a call in the making: that waits until it is known.
    A dialect writes `_write_text`, `_write_reasoning`, `_write_calls`, `_write_end` and `failure`, each appending the
    bytes of its events to `out`.
    """

    def __init__(self, ask: Asked, id: str, created: int, kind: str = "") -> None:
        super().__init__(ask, id, created, kind)
        self.delivered = 0
        # Kept to be judged at the end.
        self._texts: list[str] = []
        self._is_judged = bool(ask.written) or ask.format is not None
        # Not sent yet, because it may be a call.
        self._held: list[str] = []
        self._holds = bool(ask.written)
        self._logprobs: list[dict[str, Any]] = []
        self._is_simple = ask.top_logprobs is None

    def _write_text(self, content: str, out: list[bytes]) -> None:
        raise NotImplementedError

    def _write_reasoning(self, thinking: str, out: list[bytes]) -> None:
        raise NotImplementedError

    def _write_calls(self, made: list[dict[str, Any]], first: int, out: list[bytes]) -> None:
        """`made` are calls in OpenAI's form, the first of them the `first`-th of the answer."""
        raise NotImplementedError

    def _write_end(self, out: list[bytes]) -> None:
        """The answer is complete: `_finish_reason` and `usage` are known."""
        raise NotImplementedError

    def ping(self, note: str) -> bytes:
        return sse.comment(note)

    def failure(self, error: ApiError) -> bytes:
        """The end of a stream that broke."""
        raise NotImplementedError

    @property
    def usage(self) -> Usage:
        if self._tally.last is None:
            return Usage(self._ask.prompt_tokens if self.delivered else 0, self.delivered)
        return self._tally.usage

    def feed(self, choice: int, replies: list[Reply]) -> bytes:
        out: list[bytes] = []
        for reply in replies:
            if reply.done or reply.error is not None:
                self._tally.note(reply)
            message = reply.message
            if message is None:
                continue
            if message.thinking or message.tool_calls or not self._is_simple:
                self._feed_rich(reply, message, out)
            elif message.content:
                self._feed_text(message.content, out)
        return b"".join(out)

    def _feed_text(self, content: str, out: list[bytes]) -> None:
        self._tally.pieces += 1
        if self._is_judged:
            self._texts.append(content)
        if self._holds:
            self._hold(content, out)
            return
        self.delivered += 1
        self._write_text(content, out)

    def _hold(self, content: str, out: list[bytes]) -> None:
        self._held.append(content)
        # Once the beginning has been a call's for long enough, it is one; looking again would take ever longer.
        if self._ask.must_call or len(self._held) > tool_calls.LONGEST_CALL_START:
            return
        if not tool_calls.may_become_call(self._ask.written, "".join(self._held)):
            self._tell_held(out)

    def _tell_held(self, out: list[bytes]) -> None:
        self._holds = False
        if self._held:
            self.delivered += len(self._held)
            self._write_text("".join(self._held), out)

    def _feed_rich(self, reply: Reply, message: Message, out: list[bytes]) -> None:
        if message.thinking:
            self._tally.pieces += 1
            self.delivered += 1
            self._write_reasoning(message.thinking, out)
        elif reply.logprobs and self._ask.top_logprobs is not None:
            # Of the answer's tokens only: this format has no place for those of the reasoning.
            self._logprobs += logprobs.chat(reply.logprobs)
        if message.content:
            self._feed_text(message.content, out)
        if message.tool_calls:
            first = len(self._calls.made)
            self._tell_calls(self._noted_calls(message.tool_calls), first, out)

    def _tell_calls(self, made: list[dict[str, Any]], first: int, out: list[bytes]) -> None:
        if made:
            self.delivered += sum(call_tokens(call) for call in made)
            self._write_calls(made, first, out)

    def close(self) -> bytes:
        self._tally.require_end()
        out: list[bytes] = []
        made = len(self._calls.made)
        if self._is_judged and self._settled("".join(self._texts)) and self._holds:
            # What looked like a call was none, or was cut in the middle: then it can still be read.
            self._tell_held(out)
        self._tell_calls(self._calls.made[made:], made, out)
        self._write_end(out)
        return b"".join(out)


class ChatStream(StreamedAnswer):
    """OpenAI's chunks."""

    def __init__(self, ask: Asked, id: str, created: int) -> None:
        super().__init__(ask, id, created, "chat.completion.chunk")
        # Every chunk of text differs in its text only, so the bytes around it are made once.
        self._open = sse.START + sse.encode({**self._head, "choices": []}).removesuffix(b"]}")
        self._before = self._open + b'{"index":0,"delta":{"role":"assistant","content":'
        self._has_sent = False

    def _write_text(self, content: str, out: list[bytes]) -> None:
        self._has_sent = True
        if self._is_simple:
            out += (self._before, sse.encode(content), _AFTER)
        else:
            out.append(self._chunk({"role": "assistant", "content": content}))

    def _write_reasoning(self, thinking: str, out: list[bytes]) -> None:
        self._has_sent = True
        out.append(self._chunk({"role": "assistant", "reasoning_content": thinking}))

    def _write_calls(self, made: list[dict[str, Any]], first: int, out: list[bytes]) -> None:
        self._has_sent = True
        out.append(self._chunk({"role": "assistant", "content": "", "tool_calls": tool_calls.deltas(made, first)}))

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice: dict[str, Any] = {"index": 0, "delta": delta}
        if self._ask.top_logprobs is not None:
            choice["logprobs"] = {"content": self._logprobs} if self._logprobs else None
            self._logprobs = []
        choice["finish_reason"] = finish_reason
        return self._open + sse.encode(choice) + b"]}" + sse.END

    def _write_end(self, out: list[bytes]) -> None:
        if self._logprobs or not self._has_sent:
            out.append(self._chunk({"role": "assistant", "content": ""}))
        out.append(self._chunk({}, self._finish_reason))
        if self._ask.has_usage_chunk:
            out.append(sse.event({**self._head, "choices": [], "usage": self._tally.usage.body()}))
        out.append(sse.DONE)

    def failure(self, error: ApiError) -> bytes:
        choices = [{"index": 0, "delta": {}, "finish_reason": "error"}]
        return sse.event({**self._head, "choices": choices, "error": error.body()}) + sse.failure(error)
