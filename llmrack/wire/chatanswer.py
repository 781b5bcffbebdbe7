"""The answer of a chat completion, whole or in chunks, from the lines of Ollama's /api/chat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ApiError, UpstreamError
from . import logprobs, sse, tools
from .asks import Tally, Usage, length_bytes
from .ollama import Message, Reply

if TYPE_CHECKING:
    from .chat import ChatAsk


class _Answer:
    """What the whole and the chunked answer have in common: the texts, calls and counts collected so far."""

    def __init__(self, ask: ChatAsk, id: str, created: int) -> None:
        self._ask = ask
        self._id = id
        self._created = created
        self._tally = Tally(ask.model, ask.prompt_tokens)
        self._calls = tools.Calls(id, only_one=not ask.is_parallel or bool(ask.forced))

    @property
    def _finish_reason(self) -> str:
        """`length` stays `length` even with calls: the answer is not all there."""
        if self._tally.is_cut:
            return "length"
        return "tool_calls" if self._calls.made else "stop"

    def _settled(self, content: str) -> str:
        """The text to show of a finished answer. A forced call's text is the call itself, and is moved there.

        Raises UpstreamError when the answer breaks a promise. One that was cut at its length promises nothing more.
        """
        if self._tally.is_cut:
            return content
        if self._ask.forced and not self._calls.made:
            self._calls.make(*_forced_call(self._ask, content))
            return ""
        if self._ask.format is not None and not self._calls.made:
            fault = self._ask.format.fault(content)
            if fault is not None:
                raise UpstreamError(
                    f"The model's answer does not hold the response_format: {fault}. Retry is safe.",
                    code="invalid_answer",
                )
        return content

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._ask.model.id}


def _forced_call(ask: ChatAsk, content: str) -> tuple[str, dict[str, Any]]:
    """(name, arguments) from {"name": ..., "arguments": {...}}. Raises UpstreamError."""
    call, fault = tools.forced_call(ask.forced, content)
    if fault is not None:
        raise UpstreamError(
            f"The model made no proper call of the tool: {fault}. Retry is safe.", code="invalid_answer"
        )
    return call


class ChatStream(_Answer):
    """Chunks as they come. Text goes out at once unless it is a forced call in the making."""

    def __init__(self, ask: ChatAsk, id: str, created: int) -> None:
        super().__init__(ask, id, created)
        self.delivered = 0
        self._has_sent = False
        # Every chunk of text differs in its text only, so the bytes around it are made once.
        head = sse.encode({**self._head("chat.completion.chunk"), "choices": []})
        self._open = sse.START + head.removesuffix(b"]}")
        self._before = self._open + b'{"index":0,"delta":{"role":"assistant","content":'
        self._after = b'},"finish_reason":null}]}' + sse.END
        self._keeps_text = bool(ask.forced) or ask.format is not None
        self._texts: list[str] = []
        self._logprobs: list[dict[str, Any]] = []
        self._is_simple = not ask.forced and ask.top_logprobs is None

    @property
    def usage(self) -> Usage:
        usage = self._tally.usage
        if self._tally.last is None:
            usage.completion_tokens = self.delivered
            usage.prompt_tokens = self._ask.prompt_tokens if self.delivered else 0
        return usage

    def feed(self, choice: int, replies: list[Reply]) -> bytes:
        out: list[bytes] = []
        for reply in replies:
            if reply.done or reply.error is not None:
                self._tally.note(reply)
            message = reply.message
            if message is None:
                continue
            content = message.content
            if content and self._is_simple and message.thinking is None and message.tool_calls is None:
                self._tally.pieces += 1
                self.delivered += 1
                if self._keeps_text:
                    self._texts.append(content)
                out += (self._before, sse.encode(content), self._after)
            else:
                self._feed_rich(reply, message, out)
        if out:
            self._has_sent = True
        return b"".join(out)

    def _feed_rich(self, reply: Reply, message: Message, out: list[bytes]) -> None:
        if reply.logprobs and self._ask.top_logprobs is not None:
            self._logprobs += logprobs.chat(reply.logprobs)
        if message.thinking:
            self._tally.pieces += 1
            self.delivered += 1
            # Log-probabilities are of the answer's tokens; the reasoning has none in this format.
            self._logprobs.clear()
            out.append(self._chunk({"role": "assistant", "reasoning_content": message.thinking}))
        if message.content:
            self._tally.pieces += 1
            if self._keeps_text:
                self._texts.append(message.content)
            if not self._ask.forced:
                self.delivered += 1
                out.append(self._chunk({"role": "assistant", "content": message.content}))
        if message.tool_calls:
            first = len(self._calls.made)
            self._tell_calls(self._calls.add(message.tool_calls), first, out)

    def _tell_calls(self, calls: list[dict[str, Any]], first: int, out: list[bytes]) -> None:
        if not calls:
            return
        tokens = sum(_call_tokens(call) for call in calls)
        self._tally.pieces += tokens
        self.delivered += tokens
        out.append(
            self._chunk({"role": "assistant", "content": "", "tool_calls": tools.deltas(calls, first)}),
        )

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice: dict[str, Any] = {"index": 0, "delta": delta}
        if self._ask.top_logprobs is not None:
            choice["logprobs"] = {"content": list(self._logprobs)} if self._logprobs else None
            self._logprobs.clear()
        choice["finish_reason"] = finish_reason
        return self._open + sse.encode(choice) + b"]}" + sse.END

    def close(self) -> bytes:
        out: list[bytes] = []
        made = len(self._calls.made)
        rest = self._settled("".join(self._texts))
        if self._ask.forced and rest:
            # The window ended in the middle of the call: what there is of it cannot be called, but it can be read.
            self.delivered = self._tally.pieces
            out.append(self._chunk({"role": "assistant", "content": rest}))
        self._tell_calls(self._calls.made[made:], made, out)
        if not out and not self._has_sent:
            out.append(self._chunk({"role": "assistant", "content": ""}))
        if self._logprobs:
            out.append(self._chunk({"role": "assistant", "content": ""}))
        out.append(self._chunk({}, self._finish_reason))
        if self._ask.has_usage_chunk:
            chunk = {**self._head("chat.completion.chunk"), "choices": [], "usage": self._tally.usage.body()}
            out.append(sse.event(chunk))
        out.append(sse.DONE)
        return b"".join(out)

    def failure(self, error: ApiError) -> bytes:
        return sse.event(
            {
                **self._head("chat.completion.chunk"),
                "choices": [{"index": 0, "delta": {}, "finish_reason": "error"}],
                "error": error.body(),
            }
        )


def _call_tokens(call: dict[str, Any]) -> int:
    """About how many tokens a call took; its own count arrives with the last line."""
    function = call["function"]
    return 1 + (len(function["name"]) + length_bytes(function["arguments"])) // 4


class ChatPlain(_Answer):
    """The answer as one JSON object. A strict answer that does not hold its schema is asked for once more."""

    def __init__(self, ask: ChatAsk, id: str, created: int) -> None:
        super().__init__(ask, id, created)
        self._clear()
        self._is_repaired = False
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
            if message.tool_calls:
                calls = self._calls.add(message.tool_calls)
                self._tally.pieces += sum(_call_tokens(call) for call in calls)
            if reply.logprobs and self._ask.top_logprobs is not None and not message.thinking:
                self._logprobs += logprobs.chat(reply.logprobs)

    def repair(self) -> dict[str, Any] | None:
        text = "".join(self._texts)
        fault = self._repairable_fault(text)
        if fault is None:
            return None
        self._is_repaired = True
        self._first_usage = self._tally.usage
        self._clear()
        self._tally = Tally(self._ask.model, self._ask.prompt_tokens)
        conversation = [
            *self._ask.conversation.messages,
            {"role": "assistant", "content": text},
            {"role": "user", "content": f"That does not hold: {fault}. Answer again, with the corrected JSON only."},
        ]
        return self._ask.body(conversation, self._ask.output_tokens)

    def _repairable_fault(self, text: str) -> str | None:
        """What is wrong with an answer that was promised strictly and may be asked for again."""
        if self._is_repaired or self._tally.is_cut or self._calls.made:
            return None
        if self._ask.forced:
            return tools.forced_call(self._ask.forced, text)[1]
        format_ = self._ask.format
        return format_.fault(text) if format_ is not None and format_.is_strict else None

    def body(self) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": self._settled("".join(self._texts))}
        if self._thoughts:
            message["reasoning_content"] = "".join(self._thoughts)
        if self._calls.made:
            message["tool_calls"] = self._calls.made
        choice: dict[str, Any] = {"index": 0, "message": message}
        if self._ask.top_logprobs is not None:
            choice["logprobs"] = {"content": self._logprobs}
        choice["finish_reason"] = self._finish_reason
        return sse.encode({**self._head("chat.completion"), "choices": [choice], "usage": self.usage.body()})
