"""The statements that move tokens and money. Each function runs inside its caller's transaction.

Usage rows, day totals and balances change together or not at all, which keeps every total equal to the sum of its
rows. On PostgreSQL rows are always locked in the order usage, balances, usage_days, so that no two requests wait for
each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, insert, literal_column, select, update

from ..store.database import PreparedStatement, Transaction
from ..store.tables.billing import SPENT, CreditEntry
from ..store.tables.usage import Balance, Key, Usage, UsageDay
from .current_usage import IS_OPEN
from .outcomes import OUTCOMES, Settlement

_SAME_DAY = (
    UsageDay.account_id == bindparam("b_account_id"),
    UsageDay.mode == bindparam("b_mode"),
    UsageDay.day == bindparam("b_day"),
    UsageDay.key_id == bindparam("b_key_id"),
    UsageDay.model_id == bindparam("b_model_id"),
)
_HOLD_DAY = PreparedStatement(
    update(UsageDay).where(*_SAME_DAY).values(held_tokens=UsageDay.held_tokens + bindparam("b_held_tokens"))
)
_START_DAY = PreparedStatement(insert(UsageDay))
_HOLD_CREDIT = PreparedStatement(
    update(Balance)
    .where(Balance.account_id == bindparam("b_account_id"))
    .values(held_nanousd=Balance.held_nanousd + bindparam("b_held_nanousd"))
)
_OPEN = PreparedStatement(insert(Usage))
_TOUCH_KEY = PreparedStatement(update(Key).where(Key.id == bindparam("key_id")).values(last_used_at=bindparam("now")))
_CHECKPOINT = PreparedStatement(
    update(Usage)
    .where(Usage.request_id == bindparam("b_request_id"), IS_OPEN)
    .values(
        prompt_tokens=bindparam("b_prompt_tokens"),
        completion_tokens=bindparam("b_completion_tokens"),
        expires_at=bindparam("b_expires_at"),
    )
)
_EXTEND = PreparedStatement(
    update(Usage)
    .where(Usage.request_id == bindparam("b_request_id"), IS_OPEN)
    .values(expires_at=bindparam("b_expires_at"))
)
_HOLD = PreparedStatement(
    select(
        Usage.account_id,
        Usage.mode,
        Usage.day,
        Usage.key_id,
        Usage.model_id,
        Usage.created_at,
        Usage.is_prepaid,
        Usage.held_tokens,
        Usage.held_nanousd,
    )
    .where(Usage.request_id == bindparam("request_id"), IS_OPEN)
    .with_for_update()
)
_CHANGE_HOLD = PreparedStatement(
    update(Usage)
    .where(Usage.request_id == bindparam("b_request_id"))
    .values(
        held_tokens=bindparam("b_held_tokens"),
        held_nanousd=bindparam("b_held_nanousd"),
        is_prepaid=bindparam("b_is_prepaid"),
    )
)
_EXPIRED = PreparedStatement(
    select(Usage.request_id, Usage.prompt_tokens, Usage.completion_tokens, Usage.model_id, Usage.mode)
    .where(Usage.expires_at < bindparam("now"), IS_OPEN)
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
_CLOSE = PreparedStatement(
    update(Usage)
    .where(
        Usage.request_id == bindparam("b_request_id"),
        # A sweeper passes the present, so that a row whose owner has just come back stays with it.
        Usage.expires_at < bindparam("b_expired_before"),
        IS_OPEN,
    )
    .values(
        state=literal_column("'settled'"),
        outcome=bindparam("b_outcome"),
        settled_at=bindparam("b_settled_at"),
        counted_prompt_tokens=bindparam("b_counted_prompt_tokens"),
        counted_completion_tokens=bindparam("b_counted_completion_tokens"),
        cost_nanousd=_COST,
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
_BOOK_CREDIT = PreparedStatement(
    update(Balance)
    .where(Balance.account_id == bindparam("b_account_id"))
    .values(
        held_nanousd=Balance.held_nanousd - bindparam("b_held_nanousd"),
        spent_nanousd=Balance.spent_nanousd + bindparam("b_cost_nanousd"),
    )
)
_SPEND = PreparedStatement(
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
_BOOK_DAY = PreparedStatement(
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


def open_row(tx: Transaction, row: dict[str, Any]) -> None:
    """Write a usage row, given by its columns, and hold what it reserves."""
    day = {name: row[name] for name in ("account_id", "mode", "day", "key_id", "model_id", "held_tokens")}
    if row["is_prepaid"]:
        tx.run(_HOLD_CREDIT, {"b_account_id": row["account_id"], "b_held_nanousd": row["held_nanousd"]})
    if not tx.run(_HOLD_DAY, {f"b_{name}": value for name, value in day.items()}):
        tx.run(_START_DAY, {**_NEW_DAY, **day})
    tx.run(_OPEN, row)


_NEW_DAY = dict.fromkeys(("requests", "prompt_tokens", "completion_tokens", "cost_nanousd", "prepaid_nanousd"), 0)


@dataclass(frozen=True)
class Hold:
    """What an open request holds, and whose it is."""

    account_id: int
    mode: str
    day: str
    key_id: int
    model_id: str
    created_at: int
    is_prepaid: bool
    tokens: int
    nanousd: int


def hold(tx: Transaction, request_id: str) -> Hold | None:
    """What a request holds, with its row locked before any other; None once it is settled."""
    row = tx.one(_HOLD, {"request_id": request_id})
    return Hold(*row) if row is not None else None


def change_hold(tx: Transaction, request_id: str, hold: Hold, tokens: int, nanousd: int, is_prepaid: bool) -> None:
    """Let an open request hold other amounts than `hold` says; the nano-dollars are those of its credits."""
    row = {"b_request_id": request_id, "b_held_tokens": tokens, "b_held_nanousd": nanousd, "b_is_prepaid": is_prepaid}
    tx.run(_CHANGE_HOLD, row)
    if nanousd != hold.nanousd:
        tx.run(_HOLD_CREDIT, {"b_account_id": hold.account_id, "b_held_nanousd": nanousd - hold.nanousd})
    day = {f"b_{name}": getattr(hold, name) for name in ("account_id", "mode", "day", "key_id", "model_id")}
    tx.run(_HOLD_DAY, {**day, "b_held_tokens": tokens - hold.tokens})


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
    """Some open rows whose owner has not been heard of: (request id, prompt and completion tokens, model, mode)."""
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
