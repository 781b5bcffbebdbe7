"""What was used: totals by day, model and key, the receipt of one request, and folding old rows into their totals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select

from ..accounts import audit
from ..store.database import Store
from ..store.tables.usage import SETTLED, Key, Usage, UsageDay

PRUNE_AT_ONCE = 1000


class UnequalSums(RuntimeError):
    """A day's total is not the sum of its rows; the message names the day. Nothing of that day was removed."""


@dataclass(frozen=True)
class DayUsage:
    """The settled requests of one day, model and key."""

    day: str
    model_id: str
    key_id: int
    key_name: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost_nanousd: int


@dataclass(frozen=True)
class Receipt:
    """One request as its row tells it. The `counted_` tokens are those that were charged; `_ns` are nanoseconds."""

    request_id: str
    created_at: datetime
    settled_at: datetime | None
    mode: str
    model_id: str
    endpoint: str
    is_stream: bool
    end_user: str | None
    key_id: int
    key_name: str
    outcome: str | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    counted_prompt_tokens: int
    counted_completion_tokens: int
    cost_nanousd: int
    queue_ns: int
    load_ns: int
    prompt_ns: int
    generation_ns: int
    first_token_ns: int
    total_ns: int


# What `DayUsage` is made of, in its order; they need a join with the keys.
DAY_COLUMNS = (
    UsageDay.day,
    UsageDay.model_id,
    UsageDay.key_id,
    Key.name,
    UsageDay.requests,
    UsageDay.prompt_tokens,
    UsageDay.completion_tokens,
    UsageDay.cost_nanousd,
)


def by_day(store: Store, account_id: int, mode: str, first_day: str, last_day: str) -> list[DayUsage]:
    """An account's usage in one mode between two days, both included, newest day first."""
    statement = (
        select(*DAY_COLUMNS)
        .join(Key, Key.id == UsageDay.key_id)
        .where(UsageDay.account_id == account_id, UsageDay.mode == mode, UsageDay.day.between(first_day, last_day))
        .where(UsageDay.requests > 0)
        .order_by(UsageDay.day.desc(), UsageDay.model_id, UsageDay.key_id)
    )
    with store.read() as connection:
        return [DayUsage(*row) for row in connection.execute(statement)]


_COLUMNS = [Key.name if name == "key_name" else Usage.__table__.c[name] for name in Receipt.__dataclass_fields__]


def receipt(store: Store, account_id: int, mode: str, request_id: str) -> Receipt | None:
    """One request of this account; None when it has no such request, or its row was folded into its day."""
    statement = (
        select(*_COLUMNS)
        .join(Key, Key.id == Usage.key_id)
        .where(Usage.request_id == request_id, Usage.account_id == account_id, Usage.mode == mode)
    )
    with store.read() as connection:
        row = connection.execute(statement).first()
    return Receipt(*row) if row else None


def prune(store: Store, before_day: str, now: datetime, *, actor: str, is_trial: bool = False) -> int:
    """Remove the settled rows of days before `before_day`; their totals stay. Returns how many rows that were.

    A day's rows go only when they add up to its totals. Raises UnequalSums, with the earlier days done.
    """
    removed = 0
    for day in _days(store, before_day):
        with store.read() as connection:
            _check_sums(connection, day)
            count = connection.execute(_settled(select(func.count()), day)).scalar_one()
        removed += count
        if is_trial:
            continue
        # Written before the first row goes: what is removed without a line would be missed by no sum.
        audit.note(store, audit.Act(actor, "usage.prune", None, f"{count} requests of {day}"), now)
        while _remove(store, day):
            pass
    return removed


def _days(store: Store, before_day: str) -> list[str]:
    statement = select(Usage.day).where(Usage.day < before_day, Usage.state == SETTLED).distinct().order_by(Usage.day)
    with store.read() as connection:
        return list(connection.scalars(statement))


def _settled(statement: Any, day: str) -> Any:
    return statement.where(Usage.day == day, Usage.state == SETTLED)


def _check_sums(connection: Connection, day: str) -> None:
    """A day whose totals count more requests than there are rows was pruned in part before: it cannot be checked."""
    key = (Usage.account_id, Usage.mode, Usage.key_id, Usage.model_id)
    sums = _settled(
        select(
            *key,
            func.count(),
            func.sum(Usage.counted_prompt_tokens),
            func.sum(Usage.counted_completion_tokens),
            func.sum(Usage.cost_nanousd),
        ).group_by(*key),
        day,
    )
    totals = select(
        UsageDay.account_id,
        UsageDay.mode,
        UsageDay.key_id,
        UsageDay.model_id,
        UsageDay.requests,
        UsageDay.prompt_tokens,
        UsageDay.completion_tokens,
        UsageDay.cost_nanousd,
    ).where(UsageDay.day == day)
    stored = {tuple(row[:4]): tuple(row[4:]) for row in connection.execute(totals)}
    for row in connection.execute(sums):
        summed, total = tuple(int(value) for value in row[4:]), stored.get(tuple(row[:4]))
        if total is None or summed[0] > total[0] or (summed[0] == total[0] and summed != total):
            raise UnequalSums(
                f"The rows of {day} for account {row[0]}, key {row[2]} and model {row[3]} add up to {summed} "
                f"(requests, prompt tokens, completion tokens, nano-dollars), but its total says {total}."
            )


def _remove(store: Store, day: str) -> int:
    """Some rows of a day: few enough that requests need not wait for it."""
    some = _settled(select(Usage.request_id), day).limit(PRUNE_AT_ONCE)
    with store.write() as connection:
        return connection.execute(delete(Usage).where(Usage.request_id.in_(some))).rowcount
