"""Credits: an append-only ledger of what was bought, granted, spent and refunded, and the balance it adds up to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Connection, cast, func, insert, select, update

from .. import money
from ..accounts import audit
from ..store.database import Store
from ..store.tables.billing import BOUGHT, GRANTED, REFUNDED, SPENT, CreditEntry
from ..store.tables.usage import Account, Balance

__all__ = ["BOUGHT", "GRANTED", "REFUNDED", "SPENT"]


class BadGrant(ValueError):
    """A grant that cannot be made; the message says why."""


class UnequalLedger(RuntimeError):
    """A balance is not the sum of its entries; the message names the accounts."""


@dataclass(frozen=True)
class Entry:
    """A movement to book. `reference` is booked at most once, however often it is tried."""

    account_id: int
    kind: str
    amount_nanousd: int
    reason: str
    actor: str
    reference: str | None = None


@dataclass(frozen=True)
class EntryFacts:
    """One line of the ledger."""

    id: int
    kind: str
    amount_nanousd: int
    reason: str
    actor: str
    reference: str | None
    day: str
    created_at: datetime


@dataclass(frozen=True)
class BalanceFacts:
    """What an account has, in nano-dollars. `held` is reserved by requests still being answered."""

    paid_nanousd: int
    spent_nanousd: int
    held_nanousd: int

    @property
    def left_nanousd(self) -> int:
        return self.paid_nanousd - self.spent_nanousd


def book(connection: Connection, entry: Entry, now: datetime) -> int:
    """Write an entry and move the balance with it, in the caller's transaction; the new total paid in.

    For everything but `spent`, which the meter books when it settles a request.
    """
    row = {**vars(entry), "day": now.date().isoformat(), "created_at": now}
    connection.execute(insert(CreditEntry).values(row))
    paid = Balance.paid_nanousd + entry.amount_nanousd
    statement = update(Balance).where(Balance.account_id == entry.account_id).values(paid_nanousd=paid)
    return int(connection.execute(statement.returning(Balance.paid_nanousd)).scalar_one())


def grant(store: Store, account_id: int, amount_nanousd: int, reason: str, actor: str, now: datetime) -> None:
    """Give credits for `reason`, or take them back with a negative amount. Raises BadGrant."""
    reason = reason.strip()
    if not reason:
        raise BadGrant("Say why: the account's owner reads the reason.")
    if not amount_nanousd:
        raise BadGrant("The amount must not be zero.")
    with store.write() as connection:
        if connection.execute(select(Account.id).where(Account.id == account_id)).first() is None:
            raise BadGrant(f"There is no account {account_id}.")
        book(connection, Entry(account_id, GRANTED, amount_nanousd, reason[:500], actor), now)
        audit.record(
            connection,
            audit.Act(actor, "credits.grant", account_id, f"{money.usd_text(amount_nanousd)} USD: {reason}"),
            now,
        )


def balance(store: Store, account_id: int) -> BalanceFacts:
    """An account without a balance has nothing."""
    columns = (Balance.paid_nanousd, Balance.spent_nanousd, Balance.held_nanousd)
    with store.read() as connection:
        row = connection.execute(select(*columns).where(Balance.account_id == account_id)).first()
    return BalanceFacts(*row) if row else BalanceFacts(0, 0, 0)


def entries(
    store: Store, account_id: int, *, before_id: int | None = None, limit: int = 50, but_spent: bool = False
) -> list[EntryFacts]:
    """The newest entries first; `before_id` goes on where the last page ended."""
    columns = [CreditEntry.__table__.c[name] for name in EntryFacts.__dataclass_fields__]
    statement = select(*columns).where(CreditEntry.account_id == account_id)
    if before_id is not None:
        statement = statement.where(CreditEntry.id < before_id)
    if but_spent:
        statement = statement.where(CreditEntry.kind != SPENT)
    with store.read() as connection:
        rows = connection.execute(statement.order_by(CreditEntry.id.desc()).limit(limit)).all()
    return [EntryFacts(*row) for row in rows]


def check(store: Store) -> int:
    """Compare every balance with the sum of its entries; how many there are. Raises UnequalLedger."""

    def total(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return cast(func.coalesce(func.sum(CreditEntry.amount_nanousd).filter(condition), 0), BigInteger)

    sums = (
        select(
            CreditEntry.account_id,
            total(CreditEntry.kind != SPENT).label("paid"),
            total(CreditEntry.kind == SPENT).label("spent"),
        )
        .group_by(CreditEntry.account_id)
        .subquery()
    )
    statement = select(
        Balance.account_id,
        Balance.paid_nanousd - func.coalesce(sums.c.paid, 0),
        Balance.spent_nanousd + func.coalesce(sums.c.spent, 0),
    ).outerjoin(sums, sums.c.account_id == Balance.account_id)
    with store.read() as connection:
        rows = connection.execute(statement).all()
    wrong = [str(account_id) for account_id, paid, spent in rows if paid or spent]
    if wrong:
        raise UnequalLedger(f"The balance of account {', '.join(wrong)} is not the sum of its ledger.")
    return len(rows)
