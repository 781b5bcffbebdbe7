"""An account's usage as its owner looks at it: sums over time, and the log of single requests and refusals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from ..store.database import Store
from ..store.tables.base import microseconds
from ..store.tables.usage import Key, Refusal, RefusalHour, Usage, UsageDay
from .outcomes import OUTCOMES
from .refusals import HOUR_US, LISTED_PER_HOUR
from .usage import DAY_COLUMNS, DayUsage, Receipt

PAGE = 50
# Rows of an export read in one go: a few milliseconds, and nothing is open while they are sent.
EXPORT_AT_ONCE = 500
HOURS = 24


@dataclass(frozen=True)
class Range:
    """What is looked at: days of UTC, both included, or the last 24 hours when `first` is None."""

    account_id: int
    mode: str
    first: date | None
    last: date
    model_id: str | None = None
    key_id: int | None = None

    def slots(self, now: datetime) -> list[str]:
        """The names of the days, or of the hours as `2026-11-22T13`, oldest first."""
        if self.first is None:
            start = now.replace(minute=0, second=0, microsecond=0)
            return [_hour(start - timedelta(hours=back)) for back in range(HOURS - 1, -1, -1)]
        return [(self.first + timedelta(days=day)).isoformat() for day in range((self.last - self.first).days + 1)]

    def start(self, now: datetime) -> datetime:
        if self.first is None:
            return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
        return datetime.combine(self.first, time(), UTC)

    def end(self) -> datetime:
        return datetime.combine(self.last, time(), UTC) + timedelta(days=1)


def _hour(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H")


def sums(store: Store, wanted: Range, now: datetime) -> list[DayUsage]:
    """Settled requests by slot, model and key; `day` is a slot's name. Hours are summed from rows, days are stored."""
    return _by_hour(store, wanted, now) if wanted.first is None else _by_day(store, wanted)


def _by_day(store: Store, wanted: Range) -> list[DayUsage]:
    first, last = (day.isoformat() for day in (wanted.first or wanted.last, wanted.last))
    conditions = [
        UsageDay.account_id == wanted.account_id,
        UsageDay.mode == wanted.mode,
        UsageDay.day.between(first, last),
        UsageDay.requests > 0,
    ]
    if wanted.model_id is not None:
        conditions.append(UsageDay.model_id == wanted.model_id)
    if wanted.key_id is not None:
        conditions.append(UsageDay.key_id == wanted.key_id)
    statement = select(*DAY_COLUMNS).join(Key, Key.id == UsageDay.key_id).where(*conditions)
    with store.read() as connection:
        rows = connection.execute(statement.order_by(UsageDay.day, UsageDay.model_id, UsageDay.key_id)).all()
    return [DayUsage(*row) for row in rows]


def _by_hour(store: Store, wanted: Range, now: datetime) -> list[DayUsage]:
    chosen = (
        Usage.created_at,
        Usage.model_id,
        Usage.key_id,
        Key.name,
        Usage.counted_prompt_tokens,
        Usage.counted_completion_tokens,
        Usage.cost_nanousd,
    )
    statement = select(*chosen).join(Key, Key.id == Usage.key_id).where(*_conditions(wanted, now))
    with store.read() as connection:
        rows = connection.execute(statement.where(Usage.state == "settled")).all()
    found: dict[tuple[str, str, int], DayUsage] = {}
    for created_at, model_id, key_id, key_name, prompt, completion, cost in rows:
        slot = (_hour(created_at), model_id, key_id)
        old = found.get(slot) or DayUsage(*slot, key_name, 0, 0, 0, 0)
        found[slot] = replace(
            old,
            requests=old.requests + 1,
            prompt_tokens=old.prompt_tokens + prompt,
            completion_tokens=old.completion_tokens + completion,
            cost_nanousd=old.cost_nanousd + cost,
        )
    return [found[slot] for slot in sorted(found)]


def _conditions(wanted: Range, now: datetime) -> list[ColumnElement[bool]]:
    conditions = [
        Usage.account_id == wanted.account_id,
        Usage.mode == wanted.mode,
        Usage.created_at >= wanted.start(now),
        Usage.created_at < wanted.end(),
    ]
    if wanted.model_id is not None:
        conditions.append(Usage.model_id == wanted.model_id)
    if wanted.key_id is not None:
        conditions.append(Usage.key_id == wanted.key_id)
    return conditions


@dataclass(frozen=True)
class Place:
    """A row of the log: where the next page starts."""

    created_at: datetime
    request_id: str


_RECEIPT = [Key.name if name == "key_name" else Usage.__table__.c[name] for name in Receipt.__dataclass_fields__]


def requests(
    store: Store,
    wanted: Range,
    now: datetime,
    before: Place | None = None,
    limit: int = PAGE,
    more: Sequence[ColumnElement[bool]] = (),
) -> list[Receipt]:
    """The requests of the range, newest first, from `before` on."""
    conditions: list[Any] = [*_conditions(wanted, now), *more]
    if before is not None:
        conditions.append(_older(Usage, before))
    statement = select(*_RECEIPT).join(Key, Key.id == Usage.key_id).where(*conditions)
    newest = statement.order_by(Usage.created_at.desc(), Usage.request_id.desc()).limit(limit)
    with store.read() as connection:
        return [Receipt(*row) for row in connection.execute(newest)]


def _older(table: type[Usage] | type[Refusal], place: Place) -> ColumnElement[bool]:
    same = and_(table.created_at == place.created_at, table.request_id < place.request_id)
    return or_(table.created_at < place.created_at, same)


@dataclass(frozen=True)
class RefusedRequest:
    """A request that was refused, as the log shows it. `has_receipt` says that it had been admitted before."""

    request_id: str
    created_at: datetime
    key_name: str
    endpoint: str
    status: int
    code: str
    param: str | None
    has_receipt: bool


def log(
    store: Store, wanted: Range, now: datetime, before: Place | None, limit: int, *, is_of_errors: bool = False
) -> list[Receipt | RefusedRequest]:
    """Requests and refusals of the range together, newest first; or what failed and was refused alone.

    A refusal names no model, so with one chosen there are none.
    """
    listed = exists().where(Refusal.request_id == Usage.request_id)
    conditions: list[Any] = [] if wanted.model_id is not None else [~listed]
    if is_of_errors:
        conditions.append(Usage.outcome.in_([row.name for row in OUTCOMES.values() if row.is_failure]))
    found: list[Receipt | RefusedRequest] = [*requests(store, wanted, now, before, limit, conditions)]
    if wanted.model_id is None:
        found += _refusals(store, wanted, now, before, limit)
    return sorted(found, key=lambda row: (row.created_at, row.request_id), reverse=True)[:limit]


def _refusals(store: Store, wanted: Range, now: datetime, before: Place | None, limit: int) -> list[RefusedRequest]:
    conditions: list[Any] = [
        Refusal.account_id == wanted.account_id,
        Refusal.mode == wanted.mode,
        Refusal.created_at >= wanted.start(now),
        Refusal.created_at < wanted.end(),
    ]
    if wanted.key_id is not None:
        conditions.append(Refusal.key_id == wanted.key_id)
    if before is not None:
        conditions.append(_older(Refusal, before))
    columns = (Refusal.request_id, Refusal.created_at, Key.name, Refusal.endpoint, Refusal.status, Refusal.code)
    has_receipt = exists().where(Usage.request_id == Refusal.request_id)
    statement = select(*columns, Refusal.param, has_receipt).join(Key, Key.id == Refusal.key_id).where(*conditions)
    newest = statement.order_by(Refusal.created_at.desc(), Refusal.request_id.desc()).limit(limit)
    with store.read() as connection:
        return [RefusedRequest(*row) for row in connection.execute(newest)]


def unlisted_refusals(store: Store, wanted: Range, now: datetime) -> int:
    """How many refusals of the range were counted and not listed. The range is taken in whole hours."""
    hours = [
        RefusalHour.account_id == wanted.account_id,
        RefusalHour.mode == wanted.mode,
        RefusalHour.hour >= microseconds(wanted.start(now)) // HOUR_US,
        RefusalHour.hour < microseconds(wanted.end()) // HOUR_US,
    ]
    if wanted.key_id is not None:
        hours.append(RefusalHour.key_id == wanted.key_id)
    beyond = RefusalHour.requests - LISTED_PER_HOUR
    statement = select(func.coalesce(func.sum(beyond), 0)).where(*hours, beyond > 0)
    with store.read() as connection:
        return int(connection.execute(statement).scalar_one())


def every_request(store: Store, wanted: Range, now: datetime) -> Iterator[Receipt]:
    """All requests of the range, newest first, read in parts."""
    before: Place | None = None
    while True:
        part = requests(store, wanted, now, before, EXPORT_AT_ONCE)
        yield from part
        if len(part) < EXPORT_AT_ONCE:
            return
        before = Place(part[-1].created_at, part[-1].request_id)


def has_any(store: Store, account_id: int) -> bool:
    """Whether any key of this account ever answered."""
    with store.read() as connection:
        statement = select(UsageDay.day).where(UsageDay.account_id == account_id).limit(1)
        return connection.execute(statement).first() is not None
