"""The tables of money: credits, what was asked of the payment provider, what it reported, and who changed what.

Entries of `credit_entries`, `plan_changes` and `audit_entries` are never changed or removed; triggers refuse it.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DDL, BigInteger, CheckConstraint, ForeignKey, Index, String, event
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, RowId, UtcTime

BOUGHT, GRANTED, SPENT, REFUNDED = "bought", "granted", "spent", "refunded"
CREDITS, PLAN = "credits", "plan"
OPEN, PAID, CLOSED, REFUSED = "open", "paid", "closed", "refused"


class CreditEntry(Base):
    """One movement of an account's credits; their sum is paid - spent of its balance.

    `reference` is the request of a `spent` entry, the provider's payment of a `bought` one: nothing is booked twice.
    `day` is the one the entry is stated under: for a request the day it was admitted.
    """

    __tablename__ = "credit_entries"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    kind: Mapped[str] = mapped_column(String(8))
    amount_nanousd: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(500))
    actor: Mapped[str] = mapped_column(String(254))
    reference: Mapped[str | None] = mapped_column(String(255), unique=True)
    day: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime] = mapped_column(UtcTime)

    __table_args__ = (
        CheckConstraint("kind IN ('bought', 'granted', 'spent', 'refunded')", name="kind"),
        CheckConstraint("amount_nanousd <> 0", name="moves"),
        CheckConstraint("kind <> 'spent' OR amount_nanousd < 0", name="spent"),
        CheckConstraint("kind <> 'bought' OR amount_nanousd > 0", name="bought"),
        Index(None, "account_id", "day"),
        {"sqlite_autoincrement": True},
    )


class Customer(Base):
    """An account as the payment provider knows it. `nonce` makes asking for it twice create one."""

    __tablename__ = "customers"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, autoincrement=False)
    nonce: Mapped[str] = mapped_column(String(64))
    provider_id: Mapped[str | None] = mapped_column(String(255), unique=True)


class Checkout(Base):
    """What an account asked to pay for. What the provider reports is compared with this row, and pays it once.

    `version` counts its changes, so that what was read from the provider before one of them is read again.
    """

    __tablename__ = "checkouts"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    kind: Mapped[str] = mapped_column(String(8))
    plan_id: Mapped[str | None] = mapped_column(String(64))
    price_id: Mapped[str | None] = mapped_column(String(255))
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    customer_id: Mapped[str] = mapped_column(String(255))
    session_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    payment_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    state: Mapped[str] = mapped_column(String(8), default=OPEN)
    returned_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    disputed_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    version: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcTime)

    __table_args__ = (
        CheckConstraint("kind IN ('credits', 'plan')", name="kind"),
        CheckConstraint("state IN ('open', 'paid', 'closed', 'refused')", name="state"),
    )


class Subscription(Base):
    """An account's plan as it pays for it. `plan_id` is in force in this period, `price_id` what the next one costs.

    `failed_at` is when a payment first failed and starts the days of grace; `then_plan_id` is for after the end.
    """

    __tablename__ = "subscriptions"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, autoincrement=False)
    provider_id: Mapped[str] = mapped_column(String(255), unique=True)
    status: Mapped[str] = mapped_column(String(32))
    plan_id: Mapped[str] = mapped_column(String(64))
    price_id: Mapped[str] = mapped_column(String(255))
    period_start_at: Mapped[datetime] = mapped_column(UtcTime)
    period_end_at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    ends_with_period: Mapped[bool] = mapped_column(default=False)
    then_plan_id: Mapped[str | None] = mapped_column(String(64))
    failed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    version: Mapped[int] = mapped_column(BigInteger, default=0)
    synced_at: Mapped[datetime] = mapped_column(UtcTime)


class Invoice(Base):
    """A paid invoice for a plan."""

    __tablename__ = "invoices"

    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    number: Mapped[str] = mapped_column(String(64))
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    url: Mapped[str | None] = mapped_column(String(2000))
    day: Mapped[str] = mapped_column(String(10), index=True)
    paid_at: Mapped[datetime] = mapped_column(UtcTime)

    __table_args__ = (Index(None, "account_id", "day"),)


class PlanChange(Base):
    """A decision about an account's plan and the time from which it holds, which may lie ahead."""

    __tablename__ = "plan_changes"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    plan_id: Mapped[str | None] = mapped_column(String(64))
    starts_at: Mapped[datetime] = mapped_column(UtcTime)
    reason: Mapped[str] = mapped_column(String(500))
    actor: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime] = mapped_column(UtcTime)

    __table_args__ = ({"sqlite_autoincrement": True},)


class PaymentEvent(Base):
    """A message of the payment provider that was acted on, written in the same transaction as what it caused."""

    __tablename__ = "payment_events"

    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    type: Mapped[str] = mapped_column(String(100))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    result: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    received_at: Mapped[datetime] = mapped_column(UtcTime, index=True)


class AuditEntry(Base):
    """Who changed what, and why. `account_id` is whose account it was about."""

    __tablename__ = "audit_entries"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    actor: Mapped[str] = mapped_column(String(254))
    action: Mapped[str] = mapped_column(String(64))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    detail: Mapped[str] = mapped_column(String(1000))

    __table_args__ = ({"sqlite_autoincrement": True},)


APPEND_ONLY = ("credit_entries", "plan_changes", "audit_entries")
PG_FUNCTION = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% only grows', TG_TABLE_NAME; END $$
"""


def append_only(table: str, dialect: str) -> tuple[str, ...]:
    """The statements that make a table refuse UPDATE and DELETE. On PostgreSQL they need `PG_FUNCTION`."""
    if dialect == "postgresql":
        return (
            f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        )
    return tuple(
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} only grows'); END"
        for verb in ("UPDATE", "DELETE")
    )


def _attach() -> None:
    """Tables made from these models get the triggers that the migration makes."""
    for table in APPEND_ONLY:
        for dialect in ("sqlite", "postgresql"):
            statements = append_only(table, dialect)
            if dialect == "postgresql":
                statements = (PG_FUNCTION, *statements)
            for statement in statements:
                ddl = DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
                event.listen(Base.metadata.tables[table], "after_create", ddl.execute_if(dialect=dialect))


_attach()
