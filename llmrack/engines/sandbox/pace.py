"""How fast test mode answers: waiting in short steps, so that a client who left is noticed and silence is reported."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

from ...wire.ollama import Reply
from ..base import ClientGone, EngineRequest
from .triggers import MAX_FIRST_TOKEN_S, Rehearsal

# Four looks a second at whether the client is still there; cheap, and quick enough to go unnoticed.
LOOK_EVERY_S = 0.25
# Without streaming no client sees the pieces arrive, so the whole answer waits no longer than this.
WHOLE_ANSWER_S = 0.3
# Instant answers report the durations of this speed; a zero would look like a broken server.
NOMINAL_PER_S = 40.0
NOMINAL_FIRST_S = 0.15
# In instant mode pieces that arrive together stay together, yet a long answer still leaves in several batches.
INSTANT_BATCH = 32
# A prompt to read and nothing to write.
EMBED_S = 0.05
NS = 1_000_000_000


@dataclass(frozen=True)
class Pace:
    """Seconds: `first_s` to the first piece, `piece_s` between pieces, `embed_s` for an embedding.

    `whole_s` is the longest that an unstreamed answer takes.
    """

    first_s: float
    piece_s: float
    embed_s: float
    whole_s: float

    @classmethod
    def of(cls, pieces_per_s: float) -> Pace:
        """A pace in pieces per second; zero answers at once."""
        if not pieces_per_s:
            return cls(0.0, 0.0, 0.0, 0.0)
        return cls(NOMINAL_FIRST_S, 1 / pieces_per_s, EMBED_S, WHOLE_ANSWER_S)

    def rehearsing(self, rehearsal: Rehearsal) -> Pace:
        """The same pace with what the triggers slow down; a rehearsed delay holds in instant mode too."""
        slower = self
        if rehearsal.first_token_s > self.first_s:
            seconds = rehearsal.first_token_s
            slower = replace(slower, first_s=seconds, embed_s=seconds, whole_s=slower.whole_s + seconds)
        if rehearsal.token_s:
            slower = replace(slower, piece_s=rehearsal.token_s, whole_s=MAX_FIRST_TOKEN_S)
        return slower

    def whole(self, pieces: int) -> float:
        """Seconds until an answer of so many pieces is complete, when it is sent in one."""
        return min(self.whole_s, self.first_s + pieces * self.piece_s)

    def durations(self, prompt_tokens: int, pieces: int) -> dict[str, int]:
        """Ollama's four durations in nanoseconds. The total is a little more than its parts, as with a real server."""
        load = 12_000_000 + 1_000 * (prompt_tokens % 97)
        prompt = int((self.first_s or NOMINAL_FIRST_S) * NS)
        answer = int(pieces * (self.piece_s or 1 / NOMINAL_PER_S) * NS)
        return {
            "load_duration": load,
            "prompt_eval_duration": prompt,
            "eval_duration": answer,
            "total_duration": load + prompt + answer + 450_000,
        }


class Waiter:
    """Waits on behalf of one call.

    Time is the sum of what was slept, so nothing here depends on a clock. `wait` yields an empty batch after every
    `call.silence_s` without a piece and raises `ClientGone` within a quarter of a second of the client leaving.
    """

    def __init__(self, call: EngineRequest, sleep: Callable[[float], object]) -> None:
        self._call = call
        self._sleep = sleep
        self._silent_s = 0.0

    def check(self) -> None:
        if self._call.is_gone:
            raise ClientGone

    def wait(self, seconds: float) -> Generator[list[Reply]]:
        self.check()
        left_s = seconds
        while left_s > 0:
            step_s = min(left_s, LOOK_EVERY_S, max(self._call.silence_s - self._silent_s, 0.001))
            self._sleep(step_s)
            left_s -= step_s
            self._silent_s += step_s
            self.check()
            if self._silent_s >= self._call.silence_s:
                self._silent_s = 0.0
                yield []

    def spoke(self) -> None:
        self._silent_s = 0.0
