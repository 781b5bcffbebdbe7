"""Answers as Ollama writes them: one JSON object, or a line of JSON for each piece and a last one with the counts."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from ...errors import ApiError
from .. import sse
from ..chat.answer import Asked, ChatAnswer
from ..chat.plain import ChatPlain
from ..chat.stream import StreamedAnswer
from ..ollama import Message, Reply
from .names import envelope

END = b"\n"


class NamedAsk(Asked, Protocol):
    """`name` is the model as the client wrote it, which Ollama repeats; `is_generate` that it asked /api/generate."""

    name: str
    is_generate: bool


def head(name: str) -> dict[str, Any]:
    return {"model": name, "created_at": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")}


def said(ask: NamedAsk, text: str, thinking: str = "", calls: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """What an answer or a piece of it says, in the form of the endpoint that was asked."""
    if ask.is_generate:
        return {"response": text, **({"thinking": thinking} if thinking else {})}
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if thinking:
        message["thinking"] = thinking
    if calls:
        message["tool_calls"] = calls
    return {"message": message}


def calls_of(made: list[dict[str, Any]], first: int) -> list[dict[str, Any]]:
    """Calls in OpenAI's form, the first of them the `first`-th of the answer, with their arguments as objects."""
    return [
        {
            "id": call["id"],
            "function": {
                "index": first + index,
                "name": call["function"]["name"],
                "arguments": msgspec.json.decode(call["function"]["arguments"] or "{}"),
            },
        }
        for index, call in enumerate(made)
    ]


def as_message(replies: list[Reply]) -> None:
    """Give the lines of /api/generate the shape of those of /api/chat, which every answer here is read from."""
    for reply in replies:
        if reply.message is None and (reply.response or reply.thinking or reply.logprobs):
            reply.message = Message(content=reply.response, thinking=reply.thinking)


class _Counted(ChatAnswer):
    """The end of an answer. There is no word for an answer that is a call: Ollama says `stop`."""

    _started_ns: int

    def _ending(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int | None) -> dict[str, Any]:
        last = self._tally.last or Reply()
        counts: dict[str, Any] = {
            "total_duration": last.total_duration or time.perf_counter_ns() - self._started_ns,
            "load_duration": last.load_duration or 0,
            "prompt_eval_count": prompt_tokens,
            "prompt_eval_duration": last.prompt_eval_duration or 0,
            "eval_count": completion_tokens,
            "eval_duration": last.eval_duration or 0,
        }
        if cached_tokens is not None:
            counts["prompt_eval_cached_count"] = cached_tokens
        return {"done": True, "done_reason": "length" if self._tally.is_cut else "stop", **counts}


class LineStream(StreamedAnswer, _Counted):
    """The lines of a streamed chat or generate answer."""

    def __init__(self, ask: NamedAsk, id: str, created: int) -> None:
        super().__init__(ask, id, created)
        self._named = ask
        self._started_ns = time.perf_counter_ns()

    def feed(self, choice: int, replies: list[Reply]) -> bytes:
        if self._named.is_generate:
            as_message(replies)
        return super().feed(choice, replies)

    def _line(self, said: dict[str, Any]) -> bytes:
        line = {**head(self._named.name), **said, "done": False}
        if self._logprobs:
            line["logprobs"] = self._logprobs
            self._logprobs = []
        return sse.encode(line) + END

    def _write_text(self, content: str, out: list[bytes]) -> None:
        out.append(self._line(said(self._named, content)))

    def _write_reasoning(self, thinking: str, out: list[bytes]) -> None:
        out.append(self._line(said(self._named, "", thinking)))

    def _write_calls(self, made: list[dict[str, Any]], first: int, out: list[bytes]) -> None:
        out.append(self._line(said(self._named, "", calls=calls_of(made, first))))

    def _write_end(self, out: list[bytes]) -> None:
        if self._logprobs:
            out.append(self._line(said(self._named, "")))
        usage = self.usage
        ending = self._ending(usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens)
        out.append(sse.encode({**head(self._named.name), **said(self._named, ""), **ending}) + END)

    def ping(self, note: str) -> bytes:
        """Lines of JSON have no comments, and clients parse an empty line too, so it is a piece without text."""
        return sse.encode({**head(self._named.name), **said(self._named, ""), "done": False}) + END

    def failure(self, error: ApiError) -> bytes:
        return envelope(error) + END


class WholeAnswer(ChatPlain, _Counted):
    """A chat or generate answer as one object."""

    def __init__(self, ask: NamedAsk, id: str, created: int) -> None:
        super().__init__(ask, id, created)
        self._named = ask
        self._started_ns = time.perf_counter_ns()

    def feed(self, choice: int, replies: list[Reply]) -> None:
        if self._named.is_generate:
            as_message(replies)
        super().feed(choice, replies)

    def body(self) -> bytes:
        message, usage = self.message(), self.usage
        calls = calls_of(message.get("tool_calls", []), 0)
        answer = said(self._named, message["content"], message.get("reasoning_content", ""), calls)
        if self._logprobs:
            answer["logprobs"] = self._logprobs
        ending = self._ending(usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens)
        return sse.encode({**head(self._named.name), **answer, **ending})
