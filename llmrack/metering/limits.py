"""What an account may still use, decided from what stands against it. Nothing here reads a clock or a database."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from .. import money
from ..errors import InsufficientCredits, RateLimited
from ..keys.authentication import Caller, Cap
from ..store.tables.base import microseconds

MINUTE_S = 60
SECOND_US = 1_000_000
# When other requests hold what is missing, how much of it they will return, and when, is unknown.
HELD_RETRY_S = 2
BUSY_RETRY_S = 1
# An answer holds so many tokens at first, and so many more each time it has used them up.
ANSWER_STEP_TOKENS = 512
# A request holds its whole answer at once when so many others of its account could do the same.
PEERS = 64
NO_RETRY = (("x-should-retry", "false"),)


class Scope(Struct, frozen=True):
    """Whom a limit is of, as refusals say it: whose, its budget of a day, and the page of the dashboard to raise it."""

    whose: str
    daily_budget: str
    page: str


SCOPES = {
    "account": Scope("the account's", "The daily budget", "Billing"),
    "member": Scope("your own", "Your own daily budget in this team", "Team"),
    "project": Scope("this project's", "This project's daily budget", "Team"),
    "key": Scope("this key's", "This key's own daily budget", "API keys"),
}


class RequestedTokens(Struct, frozen=True):
    """What one request may take at most: both bounds in tokens, prices in nano-dollars per token.

    `can_grow` says that it may begin with a part of its answer and ask for more as it goes on. `least_prompt_tokens`
    is what its prompt surely has, for a prompt that can be counted exactly when its bound does not fit.
    """

    prompt_tokens: int
    output_tokens: int
    input_nanousd: int
    output_nanousd: int
    can_grow: bool = False
    least_prompt_tokens: Callable[[], int] | None = None

    @property
    def least_tokens(self) -> int:
        """What it cannot do without: its prompt, and one token of an answer if it wants any."""
        return self.prompt_tokens + min(1, self.output_tokens)

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.output_tokens

    @property
    def worth_nanousd(self) -> int:
        return self.prompt_tokens * self.input_nanousd + self.output_tokens * self.output_nanousd


class CapUsage(Struct, frozen=True):
    """What stands against a member or a project of a team, as `CurrentUsage` has it for an account."""

    open_requests: int = 0
    counted_today: int = 0
    held_today: int = 0
    month_nanousd: int = 0


class CurrentUsage(Struct, frozen=True):
    """What stands against an account before a request. `counted` is used for good, `held` may come back in part.

    `minute` lists the requests of the last 60 seconds as (admitted at, tokens), in microseconds and oldest first. The
    `month_` amounts are what was taken from the credits since the first of the month, and what is held of them.
    `caps` are of the caller's `caps`, in their order; empty when nothing stands against any.
    """

    open_requests: int = 0
    counted_today: int = 0
    held_today: int = 0
    key_counted_today: int = 0
    key_held_today: int = 0
    minute: tuple[tuple[int, int], ...] = ()
    held_this_minute: int = 0
    credit_nanousd: int = 0
    held_nanousd: int = 0
    month_nanousd: int = 0
    key_month_nanousd: int = 0
    caps: tuple[CapUsage, ...] = ()

    def of_caps(self, caller: Caller) -> Iterator[tuple[Cap, CapUsage]]:
        return zip(caller.caps, self.caps or (CapUsage(),) * len(caller.caps), strict=True)


class Room(Struct, frozen=True):
    """What is granted to one request: tokens of its prompt and of an answer, and whether credits pay for it.

    `must_count` says that only the least of the prompt is held: it has to be counted before anything is sent.
    """

    prompt_tokens: int
    output_tokens: int
    is_prepaid: bool
    must_count: bool = False


class LimitState(Struct, frozen=True):
    """A limit on tokens: its size, what is left of it, and the seconds until it is whole again.

    `scope` is "account", or "member", "project" or "key" for a smaller one of theirs.
    """

    name: str
    scope: str
    limit: int
    remaining: int
    reset_s: int


class _Window(Struct, frozen=True):
    """One limit on tokens as it stands. `entries` are those of a moving window; a day has none."""

    code: str
    scope: str
    limit: int
    counted: int
    held: int
    entries: tuple[tuple[int, int], ...] = ()

    @property
    def noun(self) -> str:
        return SCOPES[self.scope].daily_budget

    @property
    def left(self) -> int:
        return max(0, self.limit - self.counted - self.held)


def room(caller: Caller, need: RequestedTokens, standing: CurrentUsage, now: datetime) -> Room:
    """What of an answer fits into what is left: all that is wanted, a first part of it, or as much as there is.

    Raises RateLimited with the seconds after which a retry can succeed, or InsufficientCredits.
    """
    _check_concurrency(caller, standing)
    if not caller.is_live:
        return Room(need.prompt_tokens, need.output_tokens, is_prepaid=False)
    if need.least_prompt_tokens is None:
        return _fit(caller, need, standing, now)
    with contextlib.suppress(RateLimited, InsufficientCredits):
        room = _fit(caller, need, standing, now)
        if not room.must_count:
            return room
    least = min(need.least_prompt_tokens(), need.prompt_tokens)
    need = replace(need, prompt_tokens=least, output_tokens=min(1, need.output_tokens), can_grow=False)
    return replace(_fit(caller, need, standing, now), must_count=True)


def more(caller: Caller, need: RequestedTokens, standing: CurrentUsage, now: datetime, is_prepaid: bool | None) -> Room:
    """What of `need` fits for a request that has been admitted; `standing` is without what it holds already.

    What pays for it stays as it is, unless `is_prepaid` is None. Raises as `room` does.
    """
    return _fit(caller, need, standing, now, is_prepaid)


def _fit(
    caller: Caller, need: RequestedTokens, standing: CurrentUsage, now: datetime, is_prepaid: bool | None = None
) -> Room:
    peers = max(1, min(PEERS, caller.concurrent_requests - standing.open_requests))
    first = replace(need, output_tokens=min(need.output_tokens, ANSWER_STEP_TOKENS))
    granted, refusal, is_plenty, is_tight = need.output_tokens, None, True, False
    for window in _windows(caller, standing):
        if is_prepaid and _is_budget(window) and not caller.plan.is_prepaid:
            continue
        if window.left >= need.least_tokens:
            granted = min(granted, window.left - need.prompt_tokens)
            is_plenty = is_plenty and window.left >= peers * need.tokens
            is_tight = is_tight or window.left < peers * first.tokens
        elif refusal is None and is_prepaid is None and _credits_may_pay(caller, window, need):
            refusal = _refusal(window, need, standing, now)
        else:
            raise _refusal(window, need, standing, now)
    if is_prepaid is None:
        is_prepaid = refusal is not None or caller.plan.is_prepaid
    if is_prepaid:
        try:
            left = _credits_left(caller, need, standing)
        except InsufficientCredits as error:
            # An account whose budget starts again at midnight is better told so than sent to pay.
            raise (refusal or error) from error
        granted = min(granted, _affordable(need, left))
        is_plenty = is_plenty and left >= peers * need.worth_nanousd
        is_tight = is_tight or left < peers * first.worth_nanousd
    if need.can_grow and not is_plenty:
        granted = min(granted, ANSWER_STEP_TOKENS)
    # A long prompt is held by its bound only where the others could begin as well; it may be a quarter of that.
    can_count = need.can_grow and need.least_prompt_tokens is not None and need.prompt_tokens > ANSWER_STEP_TOKENS
    return Room(need.prompt_tokens, granted, is_prepaid, must_count=can_count and is_tight)


def _is_budget(window: _Window) -> bool:
    return window.code == "tokens_per_day" and window.scope == "account"


def _credits_may_pay(caller: Caller, window: _Window, need: RequestedTokens) -> bool:
    """Credits step in for a budget that is used up, not for one that open requests hold and may give back.

    A prompt known by its bound only is counted first: the budget that was paid for may be enough for it.
    """
    if not (caller.uses_credits and _is_budget(window)):
        return False
    left, least = window.limit - window.counted, need.least_tokens
    if left < least and need.least_prompt_tokens is not None:
        least += min(need.least_prompt_tokens(), need.prompt_tokens) - need.prompt_tokens
    return left < least


def states(caller: Caller, standing: CurrentUsage, now: datetime) -> list[LimitState]:
    """Every limit on tokens as it stands. Test keys never use anything up."""
    windows = _windows(caller, standing if caller.is_live else CurrentUsage())
    return [
        LimitState(window.code, window.scope, window.limit, window.left, _reset_s(window, now)) for window in windows
    ]


def state(caller: Caller, standing: CurrentUsage, now: datetime) -> LimitState | None:
    """The limit on tokens of which least is left, for headers; None for a plan without any."""
    return min(states(caller, standing, now), key=lambda state: state.remaining, default=None)


def _reset_s(window: _Window, now: datetime) -> int:
    if window.code == "tokens_per_day":
        return seconds_to_midnight(now)
    newest = window.entries[-1][0] if window.entries else 0
    return max(0, _seconds_until(newest + MINUTE_S * SECOND_US, now))


def seconds_to_midnight(now: datetime) -> int:
    """Whole seconds until the next day of UTC begins, rounded up."""
    return 86_400 - (now.hour * 3600 + now.minute * 60 + now.second)


def _seconds_until(at_us: int, now: datetime) -> int:
    return -((microseconds(now) - at_us) // SECOND_US)


def _check_concurrency(caller: Caller, standing: CurrentUsage) -> None:
    limit = caller.concurrent_requests
    if standing.open_requests >= limit:
        noun = "requests" if caller.is_live else "test requests"
        raise RateLimited(
            f"{limit} {noun} of this account are being answered at the same time, which is the most its plan allows. "
            "Retry when one of them is done.",
            code="concurrent_requests",
            retry_after_s=BUSY_RETRY_S,
        )
    for cap, used in standing.of_caps(caller):
        if caller.is_live and cap.concurrent_requests is not None and used.open_requests >= cap.concurrent_requests:
            raise RateLimited(
                f"{cap.concurrent_requests} requests are being answered at the same time, which is "
                f"{SCOPES[cap.scope].whose} limit in this team. Retry when one of them is done.",
                code="concurrent_requests",
                retry_after_s=BUSY_RETRY_S,
            )


def _windows(caller: Caller, standing: CurrentUsage) -> Iterator[_Window]:
    plan = caller.plan
    if plan.tokens_per_minute is not None:
        total, held = sum(tokens for _, tokens in standing.minute), standing.held_this_minute
        yield _Window("tokens_per_minute", "account", plan.tokens_per_minute, total - held, held, standing.minute)
    if plan.tokens_per_day is not None:
        yield _Window("tokens_per_day", "account", plan.tokens_per_day, standing.counted_today, standing.held_today)
    for cap, used in standing.of_caps(caller):
        if cap.tokens_per_day is not None:
            yield _Window("tokens_per_day", cap.scope, cap.tokens_per_day, used.counted_today, used.held_today)
    if caller.tokens_per_day is not None:
        counted, held = standing.key_counted_today, standing.key_held_today
        yield _Window("tokens_per_day", "key", caller.tokens_per_day, counted, held)


def _refusal(window: _Window, need: RequestedTokens, standing: CurrentUsage, now: datetime) -> RateLimited:
    refuse = _minute_refusal if window.code == "tokens_per_minute" else _day_refusal
    return refuse(window, need, standing, now)


def _held(window: _Window, standing: CurrentUsage) -> str:
    """What is used and what is held, and by how many requests; a key's own are not counted by themselves."""
    who = f"{standing.open_requests} requests" if standing.open_requests > 1 else "a request"
    verb = "are" if standing.open_requests > 1 else "is"
    if window.scope != "account":
        who, verb = f"{SCOPES[window.scope].whose} requests", "are"
    return (
        f"{window.counted:,} are used and {window.held:,} are held by {who} that {verb} still being answered. "
        f"What is not used of them comes back: retry when one is done."
    )


def _minute_refusal(window: _Window, need: RequestedTokens, standing: CurrentUsage, now: datetime) -> RateLimited:
    least, limit = need.least_tokens, window.limit
    if least > limit:
        return RateLimited(
            f"This request needs {least:,} tokens at least, more than the {limit:,} a minute of this plan. Shorten it.",
            code=window.code,
            retry_after_s=MINUTE_S,
            headers=NO_RETRY,
        )
    free, retry_after_s = limit - window.counted - window.held, MINUTE_S
    for admitted_at, tokens in window.entries:
        free += tokens
        if free >= least:
            retry_after_s = max(1, _seconds_until(admitted_at + MINUTE_S * SECOND_US, now))
            break
    if limit - window.counted >= least:
        return RateLimited(
            f"Of the {limit:,} tokens a minute of this plan, {_held(window, standing)}",
            code=window.code,
            retry_after_s=min(HELD_RETRY_S, retry_after_s),
        )
    return RateLimited(
        f"The {limit:,} tokens a minute of this plan are used up. Retry in {retry_after_s} s.",
        code=window.code,
        retry_after_s=retry_after_s,
    )


def _day_refusal(window: _Window, need: RequestedTokens, standing: CurrentUsage, now: datetime) -> RateLimited:
    if window.limit - window.counted >= need.least_tokens:
        return RateLimited(
            f"{window.noun} is {window.limit:,} tokens, of which {_held(window, standing)}",
            code=window.code,
            retry_after_s=HELD_RETRY_S,
        )
    wait_s = seconds_to_midnight(now)
    left = max(0, window.limit - window.counted)
    more = "A larger plan has more" if window.scope == "account" else "It can be raised"
    rest = f"has {left:,} left, and this request needs {need.least_tokens:,} at least" if left else "is used up"
    return RateLimited(
        f"{window.noun} of {window.limit:,} tokens {rest}. It starts again at 00:00 UTC, "
        f"in {wait_s // 3600} h {wait_s % 3600 // 60} min. {more}: Dashboard → {SCOPES[window.scope].page}.",
        code=window.code,
        retry_after_s=wait_s,
        headers=NO_RETRY,
    )


def _credits_left(caller: Caller, need: RequestedTokens, standing: CurrentUsage) -> int:
    """The nano-dollars that may still be spent. Raises InsufficientCredits when they do not cover the least."""
    left = standing.credit_nanousd - standing.held_nanousd
    least = need.prompt_tokens * need.input_nanousd + min(1, need.output_tokens) * need.output_nanousd
    if left <= 0 or left < least:
        held = " Requests still being answered hold a part of them." if standing.held_nanousd else ""
        raise InsufficientCredits(
            f"The account's credits do not cover this request.{held} Add credits: Dashboard → Billing.",
            headers=NO_RETRY,
        )
    for scope, cap, used in (
        ("account", caller.account_nanousd_per_month, standing.month_nanousd),
        *((level.scope, level.nanousd_per_month, of.month_nanousd) for level, of in standing.of_caps(caller)),
        ("key", caller.nanousd_per_month, standing.key_month_nanousd),
    ):
        if cap is None:
            continue
        if cap - used < least:
            raise InsufficientCredits(
                f"This request costs more than is left of {SCOPES[scope].whose} limit of "
                f"${money.usd_text(cap)} a month. It starts again on the first, 00:00 UTC; raise it before then: "
                f"Dashboard → {SCOPES[scope].page}.",
                code="monthly_limit",
                headers=NO_RETRY,
            )
        left = min(left, cap - used)
    return left


def _affordable(need: RequestedTokens, left: int) -> int:
    """How many tokens of an answer so many nano-dollars cover."""
    if not need.output_nanousd:
        return need.output_tokens
    return (left - need.prompt_tokens * need.input_nanousd) // need.output_nanousd
