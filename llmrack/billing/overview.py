"""What the operator looks at: all accounts, what they use and what they pay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, case, cast, func, or_, select

from ..accounts.accounts import NoSuchAccount
from ..clients.provider import NANOUSD_PER_CENT
from ..metering.usage import DayUsage
from ..plans import Plan, Plans
from ..store.database import Store
from ..store.tables.accounts import Login
from ..store.tables.billing import BOUGHT, REFUNDED, CreditEntry, Invoice, Subscription
from ..store.tables.usage import LIVE, Account, Balance, UsageDay
from . import subscriptions

PAGE = 50


@dataclass(frozen=True)
class AccountLine:
    """One account as the operator sees it. `plan` is in force; accounts without a person have `can_sign_in` false."""

    id: int
    name: str
    email: str | None
    plan: Plan
    plan_ends_at: datetime | None
    left_nanousd: int
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: str | None
    can_sign_in: bool
    is_operator: bool


@dataclass(frozen=True)
class RevenueDay:
    """Money of one day, in nano-dollars: paid for plans, paid for credits, and given back."""

    day: str
    plans_nanousd: int
    credits_nanousd: int
    refunded_nanousd: int

    @property
    def total_nanousd(self) -> int:
        return self.plans_nanousd + self.credits_nanousd + self.refunded_nanousd


@dataclass(frozen=True)
class Totals:
    """How many there are, and what is owed in credits."""

    accounts: int
    subscriptions: int
    credits_nanousd: int


def _sum(value: Any) -> ColumnElement[int]:
    return cast(func.coalesce(func.sum(value), 0), BigInteger)


def totals(store: Store) -> Totals:
    with store.read() as connection:
        return Totals(
            accounts=connection.execute(select(func.count()).select_from(Account)).scalar_one(),
            subscriptions=connection.execute(
                select(func.count()).where(Subscription.status.in_(sorted(subscriptions.LIVE)))
            ).scalar_one(),
            credits_nanousd=connection.execute(select(_sum(Balance.paid_nanousd - Balance.spent_nanousd))).scalar_one(),
        )


_COLUMNS = (
    Account.id,
    Account.name,
    Account.email,
    Account.plan_id,
    Account.plan_ends_at,
    Account.next_plan_id,
    Account.created_at,
    Account.disabled_at,
    Account.disabled_reason,
    Login.account_id.label("login_id"),
    Login.is_operator,
    (func.coalesce(Balance.paid_nanousd, 0) - func.coalesce(Balance.spent_nanousd, 0)).label("left"),
)


def accounts(
    store: Store, plans: Plans, now: datetime, *, query: str = "", before_id: int | None = None, limit: int = PAGE
) -> list[AccountLine]:
    """The newest accounts first; `query` is part of a name or an address."""
    statement = _accounts()
    if query:
        fits = (column.contains(query.lower(), autoescape=True) for column in _lower())
        statement = statement.where(or_(*fits))
    if before_id is not None:
        statement = statement.where(Account.id < before_id)
    with store.read() as connection:
        rows = connection.execute(statement.order_by(Account.id.desc()).limit(limit)).all()
    return [_line(row, plans, now) for row in rows]


def _lower() -> tuple[Any, Any]:
    return func.lower(Account.name), func.lower(Account.email)


def find(store: Store, plans: Plans, which: str, now: datetime) -> AccountLine:
    """The account with this name, address or id. Raises NoSuchAccount."""
    fits: list[ColumnElement[bool]] = [Account.name == which, Account.email == which.lower()]
    if which.isascii() and which.isdigit() and len(which) < 19:
        fits.append(Account.id == int(which))
    for condition in fits:
        with store.read() as connection:
            row = connection.execute(_accounts().where(condition)).first()
        if row is not None:
            return _line(row, plans, now)
    raise NoSuchAccount(f"There is no account {which}.")


def get(store: Store, plans: Plans, account_id: int, now: datetime) -> AccountLine:
    """Raises NoSuchAccount."""
    with store.read() as connection:
        row = connection.execute(_accounts().where(Account.id == account_id)).first()
    if row is None:
        raise NoSuchAccount(f"There is no account {account_id}.")
    return _line(row, plans, now)


def _accounts() -> Any:
    statement = select(*_COLUMNS).outerjoin(Login, Login.account_id == Account.id)
    return statement.outerjoin(Balance, Balance.account_id == Account.id)


def _line(row: Any, plans: Plans, now: datetime) -> AccountLine:
    is_dated = row.plan_ends_at is not None and row.plan_ends_at > now
    return AccountLine(
        id=row.id,
        name=row.name,
        email=row.email,
        plan=plans.in_force(row.plan_id, row.plan_ends_at, row.next_plan_id, now),
        plan_ends_at=row.plan_ends_at if is_dated else None,
        left_nanousd=row.left,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
        disabled_reason=row.disabled_reason,
        can_sign_in=row.login_id is not None,
        is_operator=bool(row.is_operator),
    )


def revenue(store: Store, first_day: str, last_day: str) -> list[RevenueDay]:
    """What came in and went back on each day with money, both days included, the newest first."""
    moved = select(
        CreditEntry.day,
        _sum(case((CreditEntry.kind == BOUGHT, CreditEntry.amount_nanousd), else_=0)),
        _sum(case((CreditEntry.kind == REFUNDED, CreditEntry.amount_nanousd), else_=0)),
    ).where(CreditEntry.day.between(first_day, last_day), CreditEntry.kind.in_((BOUGHT, REFUNDED)))
    fees = select(Invoice.day, _sum(Invoice.amount_cents)).where(Invoice.day.between(first_day, last_day))
    with store.read() as connection:
        credits = {day: sums for day, *sums in connection.execute(moved.group_by(CreditEntry.day))}
        plans = {row.day: row[1] for row in connection.execute(fees.group_by(Invoice.day))}
    return [
        RevenueDay(day, plans.get(day, 0) * NANOUSD_PER_CENT, *credits.get(day, (0, 0)))
        for day in sorted(credits.keys() | plans.keys(), reverse=True)
    ]


def usage(store: Store, first_day: str, last_day: str) -> list[DayUsage]:
    """The live requests of all accounts by day and model, the newest day first, without a key."""
    names = ("requests", "prompt_tokens", "completion_tokens", "cost_nanousd")
    statement = (
        select(UsageDay.day, UsageDay.model_id, *(_sum(getattr(UsageDay, name)) for name in names))
        .where(UsageDay.mode == LIVE, UsageDay.day.between(first_day, last_day))
        .group_by(UsageDay.day, UsageDay.model_id)
        .order_by(UsageDay.day.desc(), UsageDay.model_id)
    )
    with store.read() as connection:
        rows: Any = connection.execute(statement).all()
    return [DayUsage(day, model_id, 0, "", *sums) for day, model_id, *sums in rows if sums[0]]
