"""The statements that move tokens and money. Each function runs inside its caller's transaction.

Usage rows, day totals and balances change together or not at all, which keeps every total equal to the sum of its
rows. On PostgreSQL rows are always locked in the order usage, balances, usage_days, so that no two requests wait for
each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, bindparam, case, cast, func, insert, literal_column, select, update

from ..store.billing import SPENT, CreditEntry
from ..store.db import Statement, Transaction
from ..store.models import Balance, Key, Usage, UsageDay
from .limits import Standing
from .outcomes import OUTCOMES

# Spelled out in the text of the statement: an index over open rows only does not serve a bound value.
_IS_OPEN = Usage.state == literal_column("'open'")
_TOKENS = UsageDay.prompt_tokens + UsageDay.completion_tokens


def _sum(value: Any) -> ColumnElement[int]:
    """PostgreSQL sums integers into decimals."""
    return cast(func.coalesce(func.sum(value), 0), BigInteger)


_CREDIT = select(Balance.paid_nanousd - Balance.spent_nanousd, Balance.held_nanousd).where(
    Balance.account_id == bindparam("account_id")
)
_PEEK = Statement(_CREDIT)
_LOCK = Statement(_CREDIT.with_for_update())
_OPEN_REQUESTS = (
    select(func.count())
    .where(Usage.account_id == bindparam("account_id"), Usage.mode == bindparam("mode"), _IS_OPEN)
    .scalar_subquery()
)
_COUNT_OPEN = Statement(select(_OPEN_REQUESTS))
_THIS_KEY = UsageDay.key_id == bindparam("key_id")
_STANDING = Statement(
    select(
        _OPEN_REQUESTS,
        _sum(_TOKENS),
        _sum(UsageDay.held_tokens),
        _sum(case((_THIS_KEY, _TOKENS), else_=0)),
        _sum(case((_THIS_KEY, UsageDay.held_tokens), else_=0)),
    ).where(
        UsageDay.account_id == bindparam("account_id"),
        UsageDay.mode == bindparam("mode"),
        UsageDay.day == bindparam("day"),
    )
)
_MINUTE = Statement(
    select(
        Usage.created_at,
        case((_IS_OPEN, Usage.held_tokens), else_=Usage.counted_prompt_tokens + Usage.counted_completion_tokens),
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
    _IS_OPEN,
)
_MONTH = Statement(
    select(_sum(UsageDay.prepaid_nanousd), _sum(case((_THIS_KEY, UsageDay.prepaid_nanousd), else_=0))).where(*_IN_MONTH)
)
_MONTH_HELD = Statement(
    select(
        _sum(Usage.held_nanousd),
        _sum(case((Usage.key_id == bindparam("key_id"), Usage.held_nanousd), else_=0)),
    ).where(*_HELD_IN_MONTH)
)
_SAME_DAY = (
    UsageDay.account_id == bindparam("b_account_id"),
    UsageDay.mode == bindparam("b_mode"),
    UsageDay.day == bindparam("b_day"),
    UsageDay.key_id == bindparam("b_key_id"),
    UsageDay.model_id == bindparam("b_model_id"),
)
_HOLD_DAY = Statement(
    update(UsageDay).where(*_SAME_DAY).values(held_tokens=UsageDay.held_tokens + bindparam("b_held_tokens"))
)
_START_DAY = Statement(insert(UsageDay))
_HOLD_CREDIT = Statement(
    update(Balance)
    .where(Balance.account_id == bindparam("b_account_id"))
    .values(held_nanousd=Balance.held_nanousd + bindparam("b_held_nanousd"))
)
_OPEN = Statement(insert(Usage))
_TOUCH_KEY = Statement(update(Key).where(Key.id == bindparam("key_id")).values(last_used_at=bindparam("now")))
_CHECKPOINT = Statement(
    update(Usage)
    .where(Usage.request_id == bindparam("b_request_id"), _IS_OPEN)
    .values(
        prompt_tokens=bindparam("b_prompt_tokens"),
        completion_tokens=bindparam("b_completion_tokens"),
        expires_at=bindparam("b_expires_at"),
    )
)
_EXTEND = Statement(
    update(Usage)
    .where(Usage.request_id == bindparam("b_request_id"), _IS_OPEN)
    .values(expires_at=bindparam("b_expires_at"))
)
_EXPIRED = Statement(
    select(Usage.request_id, Usage.prompt_tokens, Usage.completion_tokens)
    .where(Usage.expires_at < bindparam("now"), _IS_OPEN)
    .order_by(Usage.expires_at)
    .limit(500)
)
_MEASURES = (
    "prompt_tokens", "completion_tokens", "cached_tokens",
    "queue_ns", "load_ns", "prompt_ns", "generation_ns", "first_token_ns", "total_ns",
)  # fmt: skip
_COST = Usage.input_nanousd * bindparam("b_counted_prompt_tokens") + Usage.output_nanousd * bindparam(
    "b_counted_completion_tokens"
)
_CLOSE = Statement(
    update(Usage)
    .where(
        Usage.request_id == bindparam("b_request_id"),
        # A sweeper passes the present, so that a row whose owner has just come back stays with it.
        Usage.expires_at < bindparam("b_expired_before"),
        _IS_OPEN,
    )
    .values(
        state=literal_column("'settled'"),
        outcome=bindparam("b_outcome"),
        settled_at=bindparam("b_settled_at"),
        counted_prompt_tokens=bindparam("b_counted_prompt_tokens"),
        counted_completion_tokens=bindparam("b_counted_completion_tokens"),
        # Credits pay what was reserved at most: not even a wrong count of the model server's can overdraw them.
        cost_nanousd=case((Usage.is_prepaid & (Usage.held_nanousd < _COST), Usage.held_nanousd), else_=_COST),
        **{name: bindparam(f"b_{name}") for name in _MEASURES},
    )
    .returning(
        Usage.account_id,
        Usage.mode,
        Usage.day,
        Usage.key_id,
        Usage.model_id,
        Usage.held_tokens,
        Usage.held_nanousd,
        Usage.is_prepaid,
        Usage.cost_nanousd,
    )
)
_BOOK_CREDIT = Statement(
    update(Balance)
    .where(Balance.account_id == bindparam("b_account_id"))
    .values(
        held_nanousd=Balance.held_nanousd - bindparam("b_held_nanousd"),
        spent_nanousd=Balance.spent_nanousd + bindparam("b_cost_nanousd"),
    )
)
_SPEND = Statement(
    insert(CreditEntry).values(
        account_id=bindparam("account_id"),
        kind=literal_column(f"'{SPENT}'"),
        amount_nanousd=bindparam("amount_nanousd"),
        reason=bindparam("reason"),
        actor=literal_column("'meter'"),
        reference=bindparam("reference"),
        day=bindparam("day"),
        created_at=bindparam("created_at"),
    )
)
_BOOK_DAY = Statement(
    update(UsageDay)
    .where(*_SAME_DAY)
    .values(
        requests=UsageDay.requests + 1,
        prompt_tokens=UsageDay.prompt_tokens + bindparam("b_prompt_tokens"),
        completion_tokens=UsageDay.completion_tokens + bindparam("b_completion_tokens"),
        held_tokens=UsageDay.held_tokens - bindparam("b_held_tokens"),
        cost_nanousd=UsageDay.cost_nanousd + bindparam("b_cost_nanousd"),
        prepaid_nanousd=UsageDay.prepaid_nanousd + bindparam("b_prepaid_nanousd"),
    )
)

NEVER = 2**62


@dataclass(frozen=True)
class Settlement:
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


@dataclass(frozen=True)
class Who:
    """Whose standing it is."""

    account_id: int
    key_id: int
    mode: str


def standing(
    tx: Transaction,
    who: Who,
    day: str,
    minute_since: int | None = None,
    *,
    has_monthly_limit: bool = False,
    is_locked: bool = True,
) -> Standing:
    """What stands against an account; when locked, in a write transaction, none of it changes before the end of that.

    `minute_since`, in microseconds, asks for the moving window of tokens too, `has_monthly_limit` for what the month
    took from the credits. Test keys have their open requests only.
    """
    account = {"account_id": who.account_id}
    credit_nanousd, held_nanousd = tx.one(_LOCK if is_locked else _PEEK, account) or (0, 0)
    if who.mode != "live":
        (open_requests,) = tx.one(_COUNT_OPEN, {**account, "mode": who.mode}) or (0,)
        return Standing(open_requests=open_requests)
    today = {**account, "mode": who.mode, "day": day, "key_id": who.key_id}
    open_requests, counted, held, key_counted, key_held = tx.one(_STANDING, today) or (0, 0, 0, 0, 0)
    minute = tx.all(_MINUTE, {**account, "since": minute_since}) if minute_since is not None else []
    month, key_month = _month(tx, who, day) if has_monthly_limit else (0, 0)
    return Standing(
        open_requests=open_requests,
        counted_today=counted,
        held_today=held,
        key_counted_today=key_counted,
        key_held_today=key_held,
        minute=tuple((at, tokens) for at, tokens in minute),
        credit_nanousd=credit_nanousd,
        held_nanousd=held_nanousd,
        month_nanousd=month,
        key_month_nanousd=key_month,
    )


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


def open_row(tx: Transaction, row: dict[str, Any]) -> None:
    """Write a usage row, given by its columns, and hold what it reserves."""
    day = {name: row[name] for name in ("account_id", "mode", "day", "key_id", "model_id", "held_tokens")}
    if row["is_prepaid"]:
        tx.run(_HOLD_CREDIT, {"b_account_id": row["account_id"], "b_held_nanousd": row["held_nanousd"]})
    if not tx.run(_HOLD_DAY, {f"b_{name}": value for name, value in day.items()}):
        tx.run(_START_DAY, {**_NEW_DAY, **day})
    tx.run(_OPEN, row)


_NEW_DAY = dict.fromkeys(("requests", "prompt_tokens", "completion_tokens", "cost_nanousd", "prepaid_nanousd"), 0)


def touch_key(tx: Transaction, key_id: int, now: int) -> None:
    tx.run(_TOUCH_KEY, {"key_id": key_id, "now": now})


def checkpoint(tx: Transaction, request_id: str, prompt_tokens: int, completion_tokens: int, expires_at: int) -> None:
    """Note what was delivered so far, and that the row's owner lives."""
    tx.run(
        _CHECKPOINT,
        {
            "b_request_id": request_id,
            "b_prompt_tokens": prompt_tokens,
            "b_completion_tokens": completion_tokens,
            "b_expires_at": expires_at,
        },
    )


def extend(tx: Transaction, request_id: str, expires_at: int) -> None:
    tx.run(_EXTEND, {"b_request_id": request_id, "b_expires_at": expires_at})


def expired(tx: Transaction, now: int) -> list[Sequence[Any]]:
    """Some open rows whose owner has not been heard of: (request id, prompt tokens, completion tokens)."""
    return tx.all(_EXPIRED, {"now": now})


def close_row(tx: Transaction, request_id: str, end: Settlement, now: int, expired_before: int = NEVER) -> bool:
    """Settle an open row and return what it held; False, changing nothing, when it was settled before."""
    prompt, completion = OUTCOMES[end.outcome].counted(end.prompt_tokens, end.completion_tokens)
    closed = tx.one(
        _CLOSE,
        {
            "b_request_id": request_id,
            "b_expired_before": expired_before,
            "b_outcome": end.outcome,
            "b_settled_at": now,
            "b_counted_prompt_tokens": prompt,
            "b_counted_completion_tokens": completion,
            **{f"b_{name}": getattr(end, name) for name in _MEASURES},
        },
    )
    if closed is None:
        return False
    account_id, mode, day, key_id, model_id, held_tokens, held_nanousd, is_prepaid, cost_nanousd = closed
    account = {"b_account_id": account_id, "b_cost_nanousd": cost_nanousd}
    if is_prepaid:
        tx.run(_BOOK_CREDIT, {**account, "b_held_nanousd": held_nanousd})
        if cost_nanousd:
            tx.run(
                _SPEND,
                {
                    "account_id": account_id,
                    "amount_nanousd": -cost_nanousd,
                    "reason": model_id,
                    "reference": request_id,
                    "day": day,
                    "created_at": now,
                },
            )
    tx.run(
        _BOOK_DAY,
        {
            **account,
            "b_mode": mode,
            "b_day": day,
            "b_key_id": key_id,
            "b_model_id": model_id,
            "b_prompt_tokens": prompt,
            "b_completion_tokens": completion,
            "b_held_tokens": held_tokens,
            "b_prepaid_nanousd": cost_nanousd if is_prepaid else 0,
        },
    )
    return True
