"""The answer of a text completion, whole or in chunks, from the lines of Ollama's /api/generate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ApiError
from . import logprobs, sse
from .asks import Tally, Usage, total
from .ollama import Reply

if TYPE_CHECKING:
    from .completions import CompletionAsk


class _Answer:
    def __init__(self, ask: CompletionAsk, id: str, created: int) -> None:
        self._ask = ask
        self._head = {"id": id, "object": "text_completion", "created": created, "model": ask.model.id}
        self._tallies = [Tally(ask.model, size.estimate) for size in ask.prompt_sizes]
        # Where the next token stands in the choice's text, which `text_offset` counts in characters.
        self._offsets = [len(prompt) if ask.echo else 0 for prompt in ask.prompts]

    @property
    def usage(self) -> Usage:
        return total([tally.usage for tally in self._tallies])

    def _logprobs(self, choice: int, entries: list[dict[str, Any]] | None) -> dict[str, Any] | None:
        if self._ask.top_logprobs is None or not entries:
            return None
        columns = logprobs.completions(entries, self._offsets[choice], self._ask.top_logprobs)
        self._offsets[choice] += sum(len(token) for token in columns["tokens"])
        return columns

    def _require_ends(self) -> None:
        for tally in self._tallies:
            tally.require_end()

    def _finish_reason(self, choice: int) -> str:
        return "length" if self._tallies[choice].is_cut else "stop"


class TextStream(_Answer):
    """Chunks as they come; each choice ends with a chunk that has its finish reason."""

    def __init__(self, ask: CompletionAsk, id: str, created: int) -> None:
        super().__init__(ask, id, created)
        self.delivered = 0
        self._started: set[int] = set()
        head = sse.encode({**self._head, "choices": []})
        self._open = sse.START + head.removesuffix(b"]}")
        self._before = [self._open + b'{"index":%d,"text":' % choice for choice in range(len(ask.prompts))]
        self._after = b',"logprobs":null,"finish_reason":null}]}' + sse.END

    def feed(self, choice: int, replies: list[Reply]) -> bytes:
        out: list[bytes] = []
        if self._ask.echo and choice not in self._started:
            self._started.add(choice)
            out.append(self._chunk(choice, self._ask.prompts[choice]))
        tally = self._tallies[choice]
        before = self._before[choice]
        for reply in replies:
            if reply.done or reply.error is not None:
                tally.note(reply)
            columns = self._logprobs(choice, reply.logprobs)
            if not reply.response and columns is None:
                continue
            if reply.response:
                tally.pieces += 1
                self.delivered += 1
            if columns is None:
                out += (before, sse.encode(reply.response), self._after)
            else:
                out.append(self._chunk(choice, reply.response, columns))
        return b"".join(out)

    def _chunk(
        self, choice: int, text: str, columns: dict[str, Any] | None = None, finish_reason: str | None = None
    ) -> bytes:
        part = {"index": choice, "text": text, "logprobs": columns, "finish_reason": finish_reason}
        return self._open + sse.encode(part) + b"]}" + sse.END

    def close(self) -> bytes:
        self._require_ends()
        out = [
            self._chunk(choice, "", finish_reason=self._finish_reason(choice)) for choice in range(len(self._tallies))
        ]
        if self._ask.has_usage_chunk:
            out.append(sse.event({**self._head, "choices": [], "usage": self.usage.body()}))
        out.append(sse.DONE)
        return b"".join(out)

    def failure(self, error: ApiError) -> bytes:
        return sse.event(
            {
                **self._head,
                "choices": [{"index": 0, "text": "", "logprobs": None, "finish_reason": "error"}],
                "error": error.body(),
            }
        ) + sse.failure(error)


class TextPlain(_Answer):
    """All choices as one JSON object."""

    def __init__(self, ask: CompletionAsk, id: str, created: int) -> None:
        super().__init__(ask, id, created)
        self._texts: list[list[str]] = [[prompt] if ask.echo else [] for prompt in ask.prompts]
        self._entries: list[list[dict[str, Any]]] = [[] for _ in ask.prompts]

    def feed(self, choice: int, replies: list[Reply]) -> None:
        tally = self._tallies[choice]
        for reply in replies:
            tally.note(reply)
            if reply.response:
                tally.pieces += 1
                self._texts[choice].append(reply.response)
            self._entries[choice] += reply.logprobs or []

    def repair(self, output_tokens: int) -> None:
        """Text promises nothing that could be broken."""
        return None

    def body(self) -> bytes:
        self._require_ends()
        choices = [
            {
                "index": choice,
                "text": "".join(texts),
                "logprobs": self._logprobs(choice, self._entries[choice]),
                "finish_reason": self._finish_reason(choice),
            }
            for choice, texts in enumerate(self._texts)
        ]
        return sse.encode({**self._head, "choices": choices, "usage": self.usage.body()})
