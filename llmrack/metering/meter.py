"""The meter: a request is admitted against its account's limits, checkpointed while it streams, and settled once.

The usage row is written before the first byte and outlives its worker, so nothing is used without being counted.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from msgspec.structs import replace

from ..errors import ApiError, InsufficientCredits, RateLimited, Unavailable
from ..keys.authentication import Caller
from ..monitoring import requests as request_figures
from ..monitoring.figures import Figures
from ..store.clock import DatabaseClock
from ..store.database import Store, Transaction
from ..store.tables.base import microseconds
from . import admissions, current_usage, limits, usage_rows
from .admissions import Admission, Grant
from .limits import CapUsage, CurrentUsage, LimitState
from .outcomes import Settlement

__all__ = ["Admission", "Grant", "LimitState", "Meter", "Settlement"]

log = logging.getLogger(__name__)

# A row whose owner has been silent for LEASE_S belongs to a dead worker. The owner renews a row when less than
# RENEW_BELOW_S is left, which leaves room for a database that is away for ten seconds.
LEASE_S = 20
RENEW_BELOW_S = 15
TOUCH_KEY_EVERY_S = 60
REMEMBERED_KEYS = 10_000
# Rows renewed in one transaction: a few milliseconds, so that streams go on in between.
RENEW_AT_ONCE = 200
SECOND_US = 1_000_000


def _utc_now() -> datetime:
    return datetime.now(UTC)


class _Question:
    """One query for the limit of a key, shared by those who came before it was asked."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.asked_at = float("-inf")
        self.answer: LimitState | None = None


class Meter:
    """Keeps the usage rows of one process. `owner` names that process on its rows.

    Leases are counted by `lease_clock`, in microseconds, which all processes on one database must agree on; without one
    they are counted by `clock`.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], datetime] = _utc_now,
        owner: str | None = None,
        lease_s: int = LEASE_S,
        lease_clock: DatabaseClock | None = None,
        figures: Figures | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._database_clock = lease_clock
        self._figures = figures
        self.owner = owner or f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._lease_us = lease_s * SECOND_US
        self._renew_below_us = self._lease_us * RENEW_BELOW_S // LEASE_S
        self._open: dict[str, int] = {}
        self._unsettled: dict[str, tuple[Settlement, int]] = {}
        self._touched: dict[int, int] = {}
        self._questions: weakref.WeakValueDictionary[int, _Question] = weakref.WeakValueDictionary()
        self._is_away = False
        self._back_at: int | None = None

    def _lease_now(self) -> int:
        return microseconds(self._clock()) if self._database_clock is None else self._database_clock()

    def _synchronise(self) -> int:
        """The time that leases are counted by, learnt anew. Raises Unavailable."""
        if self._database_clock is not None:
            self._database_clock.synchronise()
        at = self._lease_now()
        if self._is_away:
            self._is_away, self._back_at = False, at
        return at

    def admit(self, admission: Admission) -> Grant:
        """Reserve what the request may take at most and write its usage row, in one transaction.

        Raises RateLimited, InsufficientCredits, or Unavailable when the store cannot be reached.
        """
        now = self._clock()
        at, expires_at = microseconds(now), self._lease_now() + self._lease_us
        caller, need = admission.caller, admissions.need(admission)
        is_touched = at - self._touched.get(caller.key_id, 0) < TOUCH_KEY_EVERY_S * SECOND_US

        def reserve(tx: Transaction) -> tuple[CurrentUsage, limits.Room, dict[str, object]]:
            standing = _standing(tx, caller, now)
            try:
                room = limits.room(caller, need, standing, now)
            except (RateLimited, InsufficientCredits) as error:
                _tell_limit(error, caller, standing, now)
                raise
            granted = replace(need, prompt_tokens=room.prompt_tokens, output_tokens=room.output_tokens)
            row = admissions.row(admission, granted, now, room.is_prepaid)
            usage_rows.open_row(tx, {**row, "owner": self.owner, "expires_at": expires_at})
            if not is_touched:
                usage_rows.touch_key(tx, caller.key_id, at)
            return standing, room, row

        standing, room, row = self._store.commit(reserve)
        # Only now, so that a row whose commit was answered by silence expires like any other without an owner.
        self._open[admission.request_id] = expires_at
        if not is_touched:
            self._note_touched(caller.key_id, at)
        held = int(row["held_tokens"])  # type: ignore[call-overload]
        return _grant(admission, room, held, limits.state(caller, admissions.with_hold(standing, held, at), now))

    def grow(self, admission: Admission, grant: Grant, prompt_tokens: int, output_tokens: int) -> Grant:
        """Hold so many tokens from now on, or of the answer as many as there are; what `grant` held is part of them.

        A prompt that had to be counted decides anew what pays for the request. Raises RateLimited or
        InsufficientCredits when not even one token of an answer fits, Unavailable when the store cannot be reached.
        """
        now, caller = self._clock(), admission.caller
        need = replace(
            admissions.need(admission),
            prompt_tokens=prompt_tokens,
            output_tokens=output_tokens,
            can_grow=admission.can_grow and grant.must_count,
            least_prompt_tokens=None,
        )

        def extend(tx: Transaction) -> Grant:
            hold = usage_rows.hold(tx, admission.request_id)
            if hold is None:
                # The sweeper took this process for dead and has settled the request.
                raise Unavailable("The request is settled already. Retry is safe.")
            standing = _standing_beside(tx, caller, hold)
            is_prepaid = None if grant.must_count else bool(hold.is_prepaid)
            try:
                room = limits.more(caller, need, standing, now, is_prepaid)
            except (RateLimited, InsufficientCredits) as error:
                _tell_limit(error, caller, standing, now)
                raise
            granted = replace(need, output_tokens=room.output_tokens)
            nanousd = granted.worth_nanousd if room.is_prepaid else 0
            usage_rows.change_hold(tx, admission.request_id, hold, granted.tokens, nanousd, room.is_prepaid)
            standing = admissions.with_hold(standing, granted.tokens, hold.created_at)
            return _grant(admission, room, granted.tokens, limits.state(caller, standing, now))

        return self._store.commit(extend)

    def checkpoint(self, request_id: str, prompt_tokens: int, completion_tokens: int) -> None:
        """Note what was delivered so far. A store that is away does not cut a stream: the next one catches up."""
        try:
            expires_at = self._lease_now() + self._lease_us
            self._store.commit(
                lambda tx: usage_rows.checkpoint(tx, request_id, prompt_tokens, completion_tokens, expires_at)
            )
        except Unavailable:
            log.warning("a checkpoint was skipped", extra={"request_id": request_id})
            return
        if request_id in self._open:
            self._open[request_id] = expires_at

    def settle(self, request_id: str, settlement: Settlement) -> None:
        """Book what a request took and return the rest of its reservation; a second call changes nothing.

        Never raises for a store that is away: the answer was delivered, so the booking waits for the next `heartbeat`.
        """
        # Kept until it is booked: a greenlet may be killed in here.
        self._unsettled[request_id] = (settlement, microseconds(self._clock()))
        try:
            self._book(request_id)
        except Unavailable:
            log.warning("a settlement waits for the database", extra={"request_id": request_id})

    def standing(self, caller: Caller) -> CurrentUsage:
        """What stands against an account at this moment."""
        with self._store.query() as query:
            return _standing(query, caller, self._clock(), is_locked=False)

    def limits(self, caller: Caller) -> LimitState | None:
        """The limit on tokens at this moment, for the headers of a response that admitted nothing.

        A crowd that is refused must not become a crowd of queries: those of one key that come while a query runs
        share the next one.
        """
        asked_at = time.monotonic()
        if not caller.is_live:
            return limits.state(caller, CurrentUsage(), self._clock())
        question = self._questions.setdefault(caller.key_id, _Question())
        with question.lock:
            if question.asked_at <= asked_at:
                question.asked_at = time.monotonic()
                question.answer = limits.state(caller, self.standing(caller), self._clock())
            return question.answer

    def heartbeat(self) -> int:
        """Book what could not be booked, and renew the rows of requests still being answered; how many were renewed.

        Raises Unavailable.
        """
        with self._noting_outages():
            at = self._synchronise()
            for request_id in list(self._unsettled):
                self._book(request_id)
            due = [id_ for id_, expires_at in self._open.items() if expires_at - at < self._renew_below_us]
            for start in range(0, len(due), RENEW_AT_ONCE):
                self._renew(due[start : start + RENEW_AT_ONCE], at + self._lease_us)
        return len(due)

    def sweep(self) -> int:
        """Settle the rows whose owner died with what was known to be delivered; how many. Harmless to repeat.

        After an outage of the store no process could renew anything, so for the length of one lease nothing is swept.
        Raises Unavailable.
        """
        with self._noting_outages():
            at, now = self._synchronise(), microseconds(self._clock())
            with self._store.query() as query:
                found = usage_rows.expired(query, at)
            if self._back_at is not None and at - self._back_at < self._lease_us:
                return 0
            swept = sum(self._close_dead(at, now, *row) for row in found)
        if swept:
            log.warning("settled %d requests whose worker died", swept)
        return swept

    def _close_dead(
        self, at: int, now: int, request_id: str, prompt_tokens: int, completion_tokens: int, model_id: str, mode: str
    ) -> bool:
        end = Settlement("worker_died", prompt_tokens, completion_tokens)
        is_mine = self._store.commit(lambda tx: usage_rows.close_row(tx, request_id, end, now, expired_before=at))
        if is_mine and mode == "live" and self._figures is not None:
            request_figures.swept(self._figures, model_id, end.outcome, prompt_tokens, completion_tokens)
        return is_mine

    @contextmanager
    def _noting_outages(self) -> Iterator[None]:
        try:
            yield
        except Unavailable:
            # Until it is back, and then known by its own clock.
            self._is_away = True
            raise

    def _book(self, request_id: str) -> None:
        waiting = self._unsettled.get(request_id)
        if waiting is None:
            # The request's own greenlet booked it while the heartbeat was at another one.
            return
        settlement, at = waiting
        self._store.commit(lambda tx: usage_rows.close_row(tx, request_id, settlement, at))
        self._unsettled.pop(request_id, None)
        self._open.pop(request_id, None)

    def _renew(self, request_ids: Iterable[str], expires_at: int) -> None:
        def extend(tx: Transaction) -> None:
            for request_id in request_ids:
                usage_rows.extend(tx, request_id, expires_at)

        self._store.commit(extend)
        for request_id in request_ids:
            if request_id in self._open:
                self._open[request_id] = expires_at

    def _note_touched(self, key_id: int, at: int) -> None:
        if len(self._touched) > REMEMBERED_KEYS:
            self._touched.clear()
        self._touched[key_id] = at


def _grant(admission: Admission, room: limits.Room, held_tokens: int, state: LimitState | None) -> Grant:
    return Grant(
        output_tokens=room.output_tokens,
        limits=state,
        held_tokens=held_tokens,
        prompt_tokens=room.prompt_tokens,
        is_whole=not room.must_count and (not admission.can_grow or room.output_tokens >= admission.output_tokens),
        must_count=room.must_count,
    )


def _tell_limit(error: ApiError, caller: Caller, standing: CurrentUsage, now: datetime) -> None:
    """A refusal carries the limit on tokens that it was decided by, so that its headers agree with its sentence."""
    error.token_limits = limits.state(caller, standing, now)


def _standing_beside(tx: Transaction, caller: Caller, hold: usage_rows.Hold) -> CurrentUsage:
    """What stands against an account beside an open request, on the day and around the minute of its admission."""
    who = _who(caller)
    minute_us = limits.MINUTE_S * SECOND_US
    since = hold.created_at - minute_us if caller.plan.tokens_per_minute is not None else None
    standing = current_usage.standing(tx, who, hold.day, since, has_monthly_limit=_has_monthly_limit(caller))
    entries = list(standing.minute)
    own = (hold.created_at, hold.tokens)
    if own in entries:
        entries.remove(own)
    return replace(
        standing,
        open_requests=standing.open_requests - 1,
        held_today=standing.held_today - hold.tokens,
        key_held_today=standing.key_held_today - hold.tokens,
        minute=_fullest(entries, hold.created_at, minute_us),
        held_this_minute=max(0, standing.held_this_minute - hold.tokens),
        held_nanousd=standing.held_nanousd - hold.nanousd,
        month_nanousd=standing.month_nanousd - hold.nanousd,
        key_month_nanousd=standing.key_month_nanousd - hold.nanousd,
        caps=tuple(
            CapUsage(
                used.open_requests - 1,
                used.counted_today,
                used.held_today - hold.tokens,
                used.month_nanousd - hold.nanousd,
            )
            for used in standing.caps
        ),
    )


def _fullest(entries: list[tuple[int, int]], at: int, minute_us: int) -> tuple[tuple[int, int], ...]:
    """The entries of that minute around `at` which has most tokens: a token counts at its request's admission."""
    ends = [at, *(entry_at for entry_at, _ in entries if at <= entry_at < at + minute_us)]
    minutes = [tuple(entry for entry in entries if end - minute_us < entry[0] <= end) for end in ends]
    return max(minutes, key=lambda minute: sum(tokens for _, tokens in minute))


def _who(caller: Caller) -> current_usage.Who:
    caps = tuple((cap.scope, cap.id) for cap in caller.caps)
    return current_usage.Who(caller.account_id, caller.key_id, caller.mode, caps)


def _has_monthly_limit(caller: Caller) -> bool:
    may_spend = caller.plan.is_prepaid or caller.uses_credits
    limits = (caller.account_nanousd_per_month, caller.nanousd_per_month, *(c.nanousd_per_month for c in caller.caps))
    return may_spend and any(limit is not None for limit in limits)


def _standing(tx: Transaction, caller: Caller, now: datetime, *, is_locked: bool = True) -> CurrentUsage:
    has_minute = caller.plan.tokens_per_minute is not None
    since = microseconds(now) - limits.MINUTE_S * SECOND_US if has_minute else None
    who = _who(caller)
    return current_usage.standing(
        tx, who, admissions.day(now), since, has_monthly_limit=_has_monthly_limit(caller), is_locked=is_locked
    )
