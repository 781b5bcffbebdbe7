"""The audit log: who changed what about plans, credits, keys and accounts. It only grows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from ..store.database import Store
from ..store.tables.billing import AuditEntry
from ..store.tables.usage import Account

# The person whose account it is. Everybody else goes by address, or as `terminal:<user of the machine>`.
OWNER = "owner"


@dataclass(frozen=True)
class Act:
    """What was done: `action` is a word for programs (`credits.grant`), `detail` a sentence for people."""

    actor: str
    action: str
    account_id: int | None
    detail: str


@dataclass(frozen=True)
class ActFacts:
    """One line of the log."""

    id: int
    at: datetime
    actor: str
    action: str
    account_id: int | None
    account: str | None
    detail: str


def record(connection: Connection, act: Act, now: datetime) -> None:
    """Write a line in the transaction of the change itself, so that neither exists without the other."""
    row = {**vars(act), "detail": act.detail[:1000], "actor": act.actor[:254], "at": now}
    connection.execute(insert(AuditEntry).values(row))


def note(store: Store, act: Act, now: datetime) -> None:
    """`record` for a change that made its own transaction."""
    with store.write() as connection:
        record(connection, act, now)


def entries(
    store: Store,
    *,
    account_id: int | None = None,
    before_id: int | None = None,
    limit: int = 50,
    has_owners: bool = True,
    action: str | None = None,
) -> list[ActFacts]:
    """The newest lines first, of one account or of all, of one action or of all; what owners did to their own can be
    left out."""
    columns = (
        AuditEntry.id,
        AuditEntry.at,
        AuditEntry.actor,
        AuditEntry.action,
        AuditEntry.account_id,
        Account.name,
        AuditEntry.detail,
    )
    statement = select(*columns).outerjoin(Account, Account.id == AuditEntry.account_id)
    if account_id is not None:
        statement = statement.where(AuditEntry.account_id == account_id)
    if action is not None:
        statement = statement.where(AuditEntry.action == action)
    if not has_owners:
        statement = statement.where(AuditEntry.actor != OWNER)
    if before_id is not None:
        statement = statement.where(AuditEntry.id < before_id)
    with store.read() as connection:
        rows = connection.execute(statement.order_by(AuditEntry.id.desc()).limit(limit)).all()
    return [ActFacts(*row) for row in rows]
