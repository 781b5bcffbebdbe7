"""What an account uses at this moment: read under a lock to decide, and without one to report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, bindparam, case, cast, func, literal_column, select

from ..store.database import PreparedStatement, Transaction
from ..store.tables.usage import Balance, Key, Usage, UsageDay
from .limits import CapUsage, CurrentUsage

# Spelled out in the text of the statement: an index over open rows only does not serve a bound value.
IS_OPEN = Usage.state == literal_column("'open'")
_TOKENS = UsageDay.prompt_tokens + UsageDay.completion_tokens


def _sum(value: Any) -> ColumnElement[int]:
    """PostgreSQL sums integers into decimals."""
    return cast(func.coalesce(func.sum(value), 0), BigInteger)


_OWN_BALANCE = Balance.account_id == bindparam("account_id")
# Admissions to one account follow one another by its balance.
_LOCK = PreparedStatement(select(Balance.account_id).where(_OWN_BALANCE).with_for_update())
_OPEN_REQUESTS = (
    select(func.count())
    .where(Usage.account_id == bindparam("account_id"), Usage.mode == bindparam("mode"), IS_OPEN)
    .scalar_subquery()
)
_COUNT_OPEN = PreparedStatement(select(_OPEN_REQUESTS))
_THIS_KEY = UsageDay.key_id == bindparam("key_id")
_STANDING = PreparedStatement(
    select(
        _OPEN_REQUESTS,
        _sum(_TOKENS),
        _sum(UsageDay.held_tokens),
        _sum(case((_THIS_KEY, _TOKENS), else_=0)),
        _sum(case((_THIS_KEY, UsageDay.held_tokens), else_=0)),
        select(Balance.paid_nanousd - Balance.spent_nanousd).where(_OWN_BALANCE).scalar_subquery(),
        select(Balance.held_nanousd).where(_OWN_BALANCE).scalar_subquery(),
    ).where(
        UsageDay.account_id == bindparam("account_id"),
        UsageDay.mode == bindparam("mode"),
        UsageDay.day == bindparam("day"),
    )
)
_MINUTE = PreparedStatement(
    select(
        Usage.created_at,
        case((IS_OPEN, Usage.held_tokens), else_=Usage.counted_prompt_tokens + Usage.counted_completion_tokens),
        case((IS_OPEN, Usage.held_tokens), else_=0),
    )
    .where(
        Usage.account_id == bindparam("account_id"),
        Usage.created_at > bindparam("since"),
        Usage.mode == literal_column("'live'"),
    )
    .order_by(Usage.created_at)
)
_IN_MONTH = (
    UsageDay.account_id == bindparam("account_id"),
    UsageDay.mode == literal_column("'live'"),
    UsageDay.day.between(bindparam("first_day"), bindparam("last_day")),
)
_HELD_IN_MONTH = (
    Usage.account_id == bindparam("account_id"),
    Usage.mode == literal_column("'live'"),
    Usage.day.between(bindparam("first_day"), bindparam("last_day")),
    IS_OPEN,
)
# What a team's member and project use: sums over the keys of each. None is asked for where neither has a cap.
_CAPS = {"member": Key.member_id == bindparam("member_id"), "project": Key.project_id == bindparam("project_id")}


def _of_caps(*amounts: Any) -> list[ColumnElement[int]]:
    """Each amount for the member's keys, then each for the project's."""
    return [_sum(case((is_its, amount), else_=0)) for is_its in _CAPS.values() for amount in amounts]


_CAPS_TODAY = PreparedStatement(
    select(*_of_caps(_TOKENS, UsageDay.held_tokens))
    .select_from(UsageDay)
    .join(Key, Key.id == UsageDay.key_id)
    .where(
        UsageDay.account_id == bindparam("account_id"),
        UsageDay.mode == literal_column("'live'"),
        UsageDay.day == bindparam("day"),
    )
)
_CAPS_OPEN = PreparedStatement(
    select(*_of_caps(literal_column("1")))
    .select_from(Usage)
    .join(Key, Key.id == Usage.key_id)
    .where(Usage.account_id == bindparam("account_id"), Usage.mode == literal_column("'live'"), IS_OPEN)
)
_CAPS_MONTH = PreparedStatement(
    select(*_of_caps(UsageDay.prepaid_nanousd)).join(Key, Key.id == UsageDay.key_id).where(*_IN_MONTH)
)
_CAPS_MONTH_HELD = PreparedStatement(
    select(*_of_caps(Usage.held_nanousd)).join(Key, Key.id == Usage.key_id).where(*_HELD_IN_MONTH)
)
_MONTH = PreparedStatement(
    select(_sum(UsageDay.prepaid_nanousd), _sum(case((_THIS_KEY, UsageDay.prepaid_nanousd), else_=0))).where(*_IN_MONTH)
)
_MONTH_HELD = PreparedStatement(
    select(
        _sum(Usage.held_nanousd),
        _sum(case((Usage.key_id == bindparam("key_id"), Usage.held_nanousd), else_=0)),
    ).where(*_HELD_IN_MONTH)
)


@dataclass(frozen=True)
class Who:
    """Whose standing it is. `caps` are ids of a team's member and project whose caps are to hold, by scope."""

    account_id: int
    key_id: int
    mode: str
    caps: tuple[tuple[str, int], ...] = ()


def standing(
    tx: Transaction,
    who: Who,
    day: str,
    minute_since: int | None = None,
    *,
    has_monthly_limit: bool = False,
    is_locked: bool = True,
) -> CurrentUsage:
    """What stands against an account; when locked, in a write transaction, none of it changes before the end of that.

    `minute_since`, in microseconds, asks for the moving window of tokens too, `has_monthly_limit` for what the month
    took from the credits. Test keys have their open requests only.
    """
    account = {"account_id": who.account_id}
    if is_locked and tx.can_lock:
        tx.one(_LOCK, account)
    if who.mode != "live":
        (open_requests,) = tx.one(_COUNT_OPEN, {**account, "mode": who.mode}) or (0,)
        return CurrentUsage(open_requests=open_requests)
    today = {**account, "mode": who.mode, "day": day, "key_id": who.key_id}
    open_requests, counted, held, key_counted, key_held, credit_nanousd, held_nanousd = tx.all(_STANDING, today)[0]
    minute = tx.all(_MINUTE, {**account, "since": minute_since}) if minute_since is not None else []
    month, key_month = _month(tx, who, day) if has_monthly_limit else (0, 0)
    return CurrentUsage(
        open_requests=open_requests,
        counted_today=counted,
        held_today=held,
        key_counted_today=key_counted,
        key_held_today=key_held,
        minute=tuple((at, tokens) for at, tokens, _ in minute),
        held_this_minute=sum(held for _, _, held in minute),
        credit_nanousd=credit_nanousd or 0,
        held_nanousd=held_nanousd or 0,
        month_nanousd=month,
        key_month_nanousd=key_month,
        caps=_caps(tx, who, day, has_monthly_limit=has_monthly_limit) if who.caps else (),
    )


def _caps(tx: Transaction, who: Who, day: str, *, has_monthly_limit: bool) -> tuple[CapUsage, ...]:
    ids = {f"{scope}_id": None for scope in _CAPS} | {f"{scope}_id": id for scope, id in who.caps}
    account = {"account_id": who.account_id, **ids}
    today = tx.all(_CAPS_TODAY, {**account, "day": day})[0]
    open_requests = tx.all(_CAPS_OPEN, account)[0]
    month = [0] * len(_CAPS)
    if has_monthly_limit:
        days = {**account, "first_day": f"{day[:7]}-01", "last_day": f"{day[:7]}-31"}
        month = [
            sum(pair) for pair in zip(tx.all(_CAPS_MONTH, days)[0], tx.all(_CAPS_MONTH_HELD, days)[0], strict=True)
        ]
    used = {
        scope: CapUsage(open_requests[at], today[2 * at], today[2 * at + 1], month[at])
        for at, scope in enumerate(_CAPS)
    }
    return tuple(used[scope] for scope, _ in who.caps)


def _month(tx: Transaction, who: Who, day: str) -> tuple[int, int]:
    """What the month of `day` took from the credits or holds of them, by account and by key, in nano-dollars."""
    month = {
        "account_id": who.account_id,
        "key_id": who.key_id,
        "first_day": f"{day[:7]}-01",
        "last_day": f"{day[:7]}-31",
    }
    spent, key_spent = tx.one(_MONTH, month) or (0, 0)
    held, key_held = tx.one(_MONTH_HELD, month) or (0, 0)
    return spent + held, key_spent + key_held
