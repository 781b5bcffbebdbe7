"""How a request can end, once, and what each end costs: the meter, the receipts and the documentation read these rows.

The rule: what was delivered is charged, also when the client leaves. What fails before the first token costs nothing.
When a stream breaks on our side after that, the delivered tokens are charged and the prompt is not.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Struct


@dataclass(frozen=True)
class Outcome:
    """One way to end. `meaning` says what happened, `why` what is charged for it; both are sentences of the receipt."""

    name: str
    charges_prompt: bool
    charges_completion: bool
    meaning: str
    why: str

    @property
    def is_failure(self) -> bool:
        """Whether it is neither a whole answer nor one that its client left."""
        return self.name not in ("completed", "client_gone")

    @property
    def is_charged(self) -> bool:
        return self.charges_completion

    def counted(self, prompt_tokens: int, completion_tokens: int) -> tuple[int, int]:
        """Which of the tokens count against budgets and the bill: (prompt, completion)."""
        if not self.charges_completion or (self.name != "completed" and completion_tokens == 0):
            return 0, 0
        return (prompt_tokens if self.charges_prompt else 0), completion_tokens


class Settlement(Struct, frozen=True):
    """How a request ended and what it took: tokens read and delivered, and durations in nanoseconds."""

    outcome: str
    prompt_tokens: int
    completion_tokens: int
    queue_ns: int = 0
    load_ns: int = 0
    prompt_ns: int = 0
    generation_ns: int = 0
    first_token_ns: int = 0
    total_ns: int = 0
    cached_tokens: int = 0


OUTCOMES: dict[str, Outcome] = {
    row.name: row
    for row in (
        Outcome("completed", True, True, "The whole answer was delivered.", "The answer was delivered."),
        Outcome(
            "client_gone",
            True,
            True,
            "The client disconnected before the answer was complete.",
            "What was delivered until then is charged, and nothing when nothing was.",
        ),
        Outcome(
            "upstream_error",
            False,
            False,
            "The model failed before anything was delivered.",
            "Nothing was delivered, so nothing is charged.",
        ),
        Outcome(
            "stream_error",
            False,
            True,
            "The model failed in the middle of a stream.",
            "The stream broke on our side: the delivered tokens are charged, the prompt is not.",
        ),
        Outcome(
            "server_shutdown",
            False,
            True,
            "This server stopped before the answer was complete.",
            "The server stopped: the delivered tokens are charged, the prompt is not.",
        ),
        Outcome(
            "worker_died",
            False,
            True,
            "The process that answered it was killed.",
            "The server process died: the tokens known to be delivered are charged, the prompt is not.",
        ),
        Outcome(
            "refused",
            False,
            False,
            "The request turned out to be one that cannot be answered.",
            "The request was refused, so nothing is charged.",
        ),
    )
}
