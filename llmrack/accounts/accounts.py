"""Accounts: whom limits and bills belong to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from ..plans import Plan
from ..store.database import Store
from ..store.tables.accounts import WebSession
from ..store.tables.usage import Account, Balance
from . import audit

LOCAL = "local"


class NoSuchAccount(LookupError):
    """No account has this id, name or address; the message says so."""


@dataclass(frozen=True)
class AccountFacts:
    """One account, as stored. `plan_id` is None while the account follows the default plan."""

    id: int
    name: str
    email: str | None
    plan_id: str | None
    created_at: datetime
    disabled_at: datetime | None


def find(store: Store, name: str) -> AccountFacts:
    """The account of this name. Raises NoSuchAccount."""
    with store.read() as connection:
        return _get(connection, name)


def ensure(store: Store, name: str, now: datetime, plan: Plan | None = None, *, actor: str) -> AccountFacts:
    """The account of this name, made if there is none yet: with `plan`, or with whichever is the default one."""
    with store.write() as connection:
        if connection.execute(select(Account.id).where(Account.name == name)).first() is None:
            row = {"name": name, "plan_id": plan.id if plan else None, "created_at": now}
            account_id = connection.execute(insert(Account).values(row).returning(Account.id)).scalar_one()
            connection.execute(insert(Balance).values(account_id=account_id))
            audit.record(connection, audit.Act(actor, "account.create", account_id, name), now)
        return _get(connection, name)


def _get(connection: Connection, name: str) -> AccountFacts:
    columns = (Account.id, Account.name, Account.email, Account.plan_id, Account.created_at, Account.disabled_at)
    row = connection.execute(select(*columns).where(Account.name == name)).first()
    if row is None:
        raise NoSuchAccount(f"There is no account named {name}.")
    return AccountFacts(*row)


def disable(store: Store, account_id: int, reason: str, now: datetime, *, actor: str) -> None:
    """Refuse every key of an account from the next request on, and end its sessions. Raises NoSuchAccount.

    The owner reads `reason` where a sign-in with the right password is refused.
    """
    with store.write() as connection:
        _set_disabled(connection, account_id, now, reason)
        connection.execute(delete(WebSession).where(WebSession.account_id == account_id))
        audit.record(connection, audit.Act(actor, "account.disable", account_id, reason), now)


def enable(store: Store, account_id: int, now: datetime, *, actor: str) -> None:
    """Undo `disable`. Raises NoSuchAccount."""
    with store.write() as connection:
        _set_disabled(connection, account_id, None, None)
        audit.record(connection, audit.Act(actor, "account.enable", account_id, ""), now)


def _set_disabled(connection: Connection, account_id: int, at: datetime | None, reason: str | None) -> None:
    values = {"disabled_at": at, "disabled_reason": reason and reason[:500]}
    if not connection.execute(update(Account).where(Account.id == account_id).values(values)).rowcount:
        raise NoSuchAccount(f"There is no account {account_id}.")
