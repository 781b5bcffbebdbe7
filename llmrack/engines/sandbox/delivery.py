"""An answer on its way out: replies in batches at a pace, or all in one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

from ...errors import UpstreamError
from ...wire.ollama import Reply
from . import logprobs
from .cuts import Answer
from .pace import INSTANT_BATCH, Pace, Waiter
from .questions import Question

# Pieces that arrive before a rehearsed break in the stream.
BREAK_AFTER_PIECES = 5

# From content and thinking to a reply of the endpoint's shape.
Shape = Callable[[str, str], Reply]


@dataclass(frozen=True)
class Delivery:
    """One answer to one question; `last` is its line with `done`, counts and durations."""

    question: Question
    answer: Answer
    pace: Pace
    waiter: Waiter
    shape: Shape
    last: Reply

    def whole(self) -> Generator[list[Reply]]:
        """The answer in one reply, after a wait that is real but short."""
        yield from self.waiter.wait(self.pace.whole(self.answer.eval_count))
        if self.question.rehearsal.breaks_mid_stream:
            raise broken_off()
        filled = self.shape("".join(self.answer.pieces), "".join(self.answer.thinking))
        self.last.message, self.last.response, self.last.thinking = filled.message, filled.response, filled.thinking
        self._add_calls(self.last)
        if self.question.logprobs:
            self.last.logprobs = [self._logprob(piece, place) for place, piece in enumerate(self.answer.pieces)]
        yield [self.last]

    def streamed(self) -> Generator[list[Reply]]:
        """The answer piece by piece: thinking, text, calls, and the last line."""
        replies = list(self._replies())
        breaks = self.question.rehearsal.breaks_mid_stream
        yield from self.waiter.wait(self.pace.first_s)
        yield from self._paced(replies[:BREAK_AFTER_PIECES] if breaks else replies)
        if breaks:
            raise broken_off()
        if self.answer.calls:
            # A model writes the tokens of a call out of sight; the call arrives whole.
            yield from self.waiter.wait(self.answer.call_tokens * self.pace.piece_s)
            called = self.shape("", "")
            self._add_calls(called)
            yield [called]
        self.waiter.check()
        yield [self.last]

    def _replies(self) -> Iterator[Reply]:
        yield from (self.shape("", piece) for piece in self.answer.thinking)
        for place, piece in enumerate(self.answer.pieces):
            reply = self.shape(piece, "")
            reply.logprobs = [self._logprob(piece, place)] if self.question.logprobs else None
            yield reply

    def _paced(self, replies: list[Reply]) -> Generator[list[Reply]]:
        size = 1 if self.pace.piece_s else INSTANT_BATCH
        for start in range(0, len(replies), size):
            yield from self.waiter.wait(self.pace.piece_s if start else 0)
            self.waiter.spoke()
            yield replies[start : start + size]

    def _logprob(self, piece: str, place: int) -> dict[str, Any]:
        return logprobs.entry(piece, place, self.question.top_logprobs)

    def _add_calls(self, reply: Reply) -> None:
        if self.answer.calls and reply.message is not None:
            reply.message.tool_calls = list(self.answer.calls)


def broken_off() -> UpstreamError:
    return UpstreamError(
        "The model stopped in the middle of its answer. This was rehearsed: the prompt contains the test mode trigger"
        " [test:error mid-stream]. Retry is safe."
    )
