"""A request that wants to start, what it is granted, and the usage row it begins with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from ..catalog import Model
from ..keys.authentication import Caller
from ..store.tables.base import microseconds
from .limits import CurrentUsage, LimitState, RequestedTokens


class Admission(Struct, frozen=True):
    """A request that wants to start. Both token counts are upper bounds; `output_tokens` is 0 for embeddings.

    The last two are explained at `limits.Need`.
    """

    request_id: str
    caller: Caller
    endpoint: str
    model: Model
    prompt_tokens: int
    output_tokens: int
    user: str | None
    stream: bool
    can_grow: bool = False
    least_prompt_tokens: Callable[[], int] | None = None


class Grant(Struct, frozen=True):
    """What an admitted request holds, in tokens of its answer and its prompt; and the limit on tokens, for headers.

    An answer that holds less than it may have (`is_whole` is false) asks for more before it goes on; one that
    `must_count` may not send anything before its prompt is counted. Test requests hold nothing.
    """

    output_tokens: int
    limits: LimitState | None
    held_tokens: int = 0
    prompt_tokens: int = 0
    is_whole: bool = True
    must_count: bool = False

    def limits_after(self, counted_tokens: int) -> LimitState | None:
        """The limit once the request has used so many tokens and given back what else it held."""
        state = self.limits
        if state is None or not self.held_tokens:
            return state
        return replace(state, remaining=max(0, min(state.limit, state.remaining + self.held_tokens - counted_tokens)))


def need(admission: Admission) -> RequestedTokens:
    model, is_live = admission.model, admission.caller.is_live
    return RequestedTokens(
        prompt_tokens=admission.prompt_tokens,
        output_tokens=admission.output_tokens,
        input_nanousd=model.input_nanousd if is_live else 0,
        output_nanousd=model.output_nanousd if is_live else 0,
        can_grow=admission.can_grow,
        least_prompt_tokens=admission.least_prompt_tokens,
    )


def day(now: datetime) -> str:
    return now.date().isoformat()


def row(admission: Admission, granted: RequestedTokens, now: datetime, is_prepaid: bool) -> dict[str, object]:
    """The columns of a new usage row. Test requests hold nothing and have no price."""
    caller = admission.caller
    return {
        **_NOTHING_YET,
        "request_id": admission.request_id,
        "account_id": caller.account_id,
        "key_id": caller.key_id,
        "mode": caller.mode,
        "plan_id": caller.plan.id,
        "model_id": admission.model.id,
        "endpoint": admission.endpoint,
        "is_stream": admission.stream,
        "is_prepaid": is_prepaid,
        "end_user": admission.user,
        "state": "open",
        "day": day(now),
        "created_at": microseconds(now),
        "held_tokens": granted.tokens if caller.is_live else 0,
        "held_nanousd": granted.worth_nanousd if is_prepaid else 0,
        "input_nanousd": granted.input_nanousd,
        "output_nanousd": granted.output_nanousd,
    }


_NOTHING_YET: dict[str, object] = {
    "outcome": None,
    "settled_at": None,
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "cached_tokens": 0,
    "counted_prompt_tokens": 0,
    "counted_completion_tokens": 0,
    "cost_nanousd": 0,
    "queue_ns": 0,
    "load_ns": 0,
    "prompt_ns": 0,
    "generation_ns": 0,
    "first_token_ns": 0,
    "total_ns": 0,
}


def with_hold(standing: CurrentUsage, held: int, at: int) -> CurrentUsage:
    """The standing after a reservation of `held` tokens by a request admitted at `at`."""
    return replace(
        standing,
        held_today=standing.held_today + held,
        key_held_today=standing.key_held_today + held,
        minute=(*standing.minute, (at, held)),
        held_this_minute=standing.held_this_minute + held,
        caps=tuple(replace(used, held_today=used.held_today + held) for used in standing.caps),
    )
