"""What an account's month came to: its receipts one by one, and the sums that ledger and usage page have too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, case, cast, func, select

from ..store.database import Store
from ..store.tables.base import EPOCH
from ..store.tables.billing import SPENT, CreditEntry, Invoice
from ..store.tables.usage import LIVE, SETTLED, Account, Key, Usage, UsageDay

PAGE = 1000


_TOTALS = ("requests", "prompt_tokens", "completion_tokens", "cost_nanousd", "prepaid_nanousd")


class BadMonth(ValueError):
    """Not a month, or one that has nothing to state; the message says so."""


@dataclass(frozen=True)
class ModelLine:
    """A month of one model. `charged` is what was taken from the credits, the rest is what plans covered."""

    model_id: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost_nanousd: int
    charged_nanousd: int


@dataclass(frozen=True)
class Movement:
    """What moved the credits besides requests."""

    day: str
    kind: str
    amount_nanousd: int
    reason: str


@dataclass(frozen=True)
class Fee:
    """An invoice for a plan that was paid in the month."""

    day: str
    number: str
    amount_cents: int
    currency: str


@dataclass(frozen=True)
class Line:
    """One receipt: tokens are the counted ones, prices those of its request. `requests` is more than one where
    receipts were folded into the total of their day, which has no single price.
    """

    day: str
    at: datetime | None
    request_id: str
    key_name: str
    model_id: str
    outcome: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    input_nanousd: int | None
    output_nanousd: int | None
    cost_nanousd: int
    charged_nanousd: int


@dataclass(frozen=True)
class Statement:
    """One month of one account. Credits in: opening + movements - charged = closing."""

    account: str
    month: str
    opening_nanousd: int
    closing_nanousd: int
    movements: tuple[Movement, ...]
    fees: tuple[Fee, ...]
    models: tuple[ModelLine, ...]

    @property
    def cost_nanousd(self) -> int:
        return sum(line.cost_nanousd for line in self.models)

    @property
    def charged_nanousd(self) -> int:
        return sum(line.charged_nanousd for line in self.models)

    @property
    def requests(self) -> int:
        return sum(line.requests for line in self.models)


def parse(month: str, now: datetime) -> str:
    """A month that has begun, as "2026-11". Raises BadMonth."""
    try:
        begun = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise BadMonth("A month is written like 2026-11.") from None
    if len(month) != 7 or begun > now:
        raise BadMonth("This month has not begun.")
    return month


def months(store: Store, account_id: int, now: datetime) -> list[str]:
    """The months an account has existed, the newest first."""
    with store.read() as connection:
        since: datetime = connection.execute(select(Account.created_at).where(Account.id == account_id)).scalar_one()
    found, at = [], now.replace(day=1)
    while at.strftime("%Y-%m") >= since.strftime("%Y-%m"):
        found.append(at.strftime("%Y-%m"))
        at = (at - timedelta(days=1)).replace(day=1)
    return found


def of(store: Store, account_id: int, month: str) -> Statement:
    """An account's month, from one state of the database. Requests still being answered are not in it yet."""
    with store.read() as connection:
        name = connection.execute(select(Account.email, Account.name).where(Account.id == account_id)).one()
        opening = _credits(connection, account_id, CreditEntry.day < f"{month}-01")
        return Statement(
            account=name.email or name.name,
            month=month,
            opening_nanousd=opening,
            closing_nanousd=_credits(connection, account_id, CreditEntry.day <= f"{month}-31"),
            movements=_movements(connection, account_id, month),
            fees=_fees(connection, account_id, month),
            models=_models(connection, account_id, month),
        )


def lines(store: Store, account_id: int, month: str) -> Iterator[Line]:
    """Every receipt of the month, oldest first, a page of rows in memory at a time."""
    with store.read() as connection:
        folded = _folded(connection, account_id, month)
    yield from folded
    after: tuple[datetime, str] | None = None
    while True:
        with store.read() as connection:
            page = _page(connection, account_id, month, after)
        yield from page
        if len(page) < PAGE:
            return
        after = (page[-1].at or EPOCH, page[-1].request_id)


def _in_month(day: Any, month: str) -> ColumnElement[bool]:
    between: ColumnElement[bool] = day.between(f"{month}-01", f"{month}-31")
    return between


def _sum(value: Any) -> ColumnElement[int]:
    return cast(func.coalesce(func.sum(value), 0), BigInteger)


def _credits(connection: Connection, account_id: int, condition: ColumnElement[bool]) -> int:
    statement = select(_sum(CreditEntry.amount_nanousd)).where(CreditEntry.account_id == account_id, condition)
    return int(connection.execute(statement).scalar_one())


def _movements(connection: Connection, account_id: int, month: str) -> tuple[Movement, ...]:
    columns = (CreditEntry.day, CreditEntry.kind, CreditEntry.amount_nanousd, CreditEntry.reason)
    statement = (
        select(*columns)
        .where(CreditEntry.account_id == account_id, _in_month(CreditEntry.day, month), CreditEntry.kind != SPENT)
        .order_by(CreditEntry.id)
    )
    return tuple(Movement(*row) for row in connection.execute(statement))


def _fees(connection: Connection, account_id: int, month: str) -> tuple[Fee, ...]:
    columns = (Invoice.day, Invoice.number, Invoice.amount_cents, Invoice.currency)
    statement = select(*columns).where(Invoice.account_id == account_id, _in_month(Invoice.day, month))
    return tuple(Fee(*row) for row in connection.execute(statement.order_by(Invoice.paid_at, Invoice.id)))


def _models(connection: Connection, account_id: int, month: str) -> tuple[ModelLine, ...]:
    statement = (
        select(UsageDay.model_id, *(_sum(getattr(UsageDay, name)) for name in _TOTALS))
        .where(UsageDay.account_id == account_id, UsageDay.mode == LIVE, _in_month(UsageDay.day, month))
        .group_by(UsageDay.model_id)
        .order_by(UsageDay.model_id)
    )
    rows: Sequence[Any] = connection.execute(statement).all()
    return tuple(line for line in (ModelLine(*row) for row in rows) if line.requests)


_RECEIPT = (
    Usage.day,
    Usage.created_at,
    Usage.request_id,
    Key.name,
    Usage.model_id,
    Usage.outcome,
    Usage.counted_prompt_tokens,
    Usage.counted_completion_tokens,
    Usage.input_nanousd,
    Usage.output_nanousd,
    Usage.cost_nanousd,
    Usage.is_prepaid,
)


def _settled(account_id: int, month: str) -> tuple[ColumnElement[bool], ...]:
    return (
        Usage.account_id == account_id,
        Usage.mode == LIVE,
        Usage.state == SETTLED,
        _in_month(Usage.day, month),
    )


def _page(connection: Connection, account_id: int, month: str, after: tuple[datetime, str] | None) -> list[Line]:
    statement = select(*_RECEIPT).join(Key, Key.id == Usage.key_id).where(*_settled(account_id, month))
    if after is not None:
        at, request_id = after
        statement = statement.where(
            (Usage.created_at > at) | ((Usage.created_at == at) & (Usage.request_id > request_id))
        )
    rows = connection.execute(statement.order_by(Usage.created_at, Usage.request_id).limit(PAGE)).all()
    return [
        Line(day, at, id_, key, model, outcome or "", 1, prompt, answer, read, write, cost, cost if is_prepaid else 0)
        for day, at, id_, key, model, outcome, prompt, answer, read, write, cost, is_prepaid in rows
    ]


def _folded(connection: Connection, account_id: int, month: str) -> list[Line]:
    """What the totals of days have beyond the receipts that are still kept."""
    place = (Usage.day, Usage.key_id, Usage.model_id)
    charged = case((Usage.is_prepaid, Usage.cost_nanousd), else_=0)
    tokens = (Usage.counted_prompt_tokens, Usage.counted_completion_tokens)
    sums = (_sum(1), *(_sum(column) for column in (*tokens, Usage.cost_nanousd, charged)))
    statement = select(*place, *sums).where(*_settled(account_id, month)).group_by(*place)
    kept = {tuple(row[:3]): tuple(row[3:]) for row in connection.execute(statement)}
    totals = [getattr(UsageDay, name) for name in _TOTALS]
    days = (
        select(UsageDay.day, UsageDay.key_id, UsageDay.model_id, Key.name, *totals)
        .join(Key, Key.id == UsageDay.key_id)
        .where(UsageDay.account_id == account_id, UsageDay.mode == LIVE, _in_month(UsageDay.day, month))
        .order_by(UsageDay.day, UsageDay.key_id, UsageDay.model_id)
    )
    found = []
    for day, key_id, model_id, key, *values in connection.execute(days):
        rest = [total - part for total, part in zip(values, kept.get((day, key_id, model_id), (0,) * 5), strict=True)]
        if any(rest):
            requests, prompt, answer, cost, paid = rest
            found.append(Line(day, None, "", key, model_id, "", requests, prompt, answer, None, None, cost, paid))
    return found
