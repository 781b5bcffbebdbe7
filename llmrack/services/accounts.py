"""Accounts: whom limits and bills belong to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select, update

from ..plans import Plan
from ..store.db import Store
from ..store.models import Account, Balance
from . import credits, subscriptions

LOCAL = "local"


class NoSuchAccount(LookupError):
    """No account has this name; the message says so."""


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


def ensure(store: Store, name: str, now: datetime, plan: Plan | None = None) -> AccountFacts:
    """The account of this name, made if there is none yet: with `plan`, or with whichever is the default one."""
    with store.write() as connection:
        row = connection.execute(select(Account.id).where(Account.name == name)).first()
        if row is None:
            _create(connection, name, plan, now)
        return _get(connection, name)


def set_plan(store: Store, name: str, plan: Plan) -> None:
    """Put an account on `plan` for good, from its next request on. Raises NoSuchAccount."""
    with store.write() as connection:
        account, now = _get(connection, name), datetime.now(UTC)
        subscriptions.move(connection, account.id, subscriptions.Tenure(plan.id), "set", "operator", now)


def disable(store: Store, name: str, now: datetime) -> None:
    """Refuse every key of an account, from the next request on. Raises NoSuchAccount."""
    _change(store, name, disabled_at=now)


def enable(store: Store, name: str) -> None:
    """Undo `disable`. Raises NoSuchAccount."""
    _change(store, name, disabled_at=None)


def add_credit(store: Store, name: str, amount_nanousd: int) -> int:
    """Give an account credits; the new total paid in. Raises NoSuchAccount."""
    with store.write() as connection:
        account = _get(connection, name)
        entry = credits.Entry(account.id, credits.GRANTED, amount_nanousd, "added", "operator")
        return credits.book(connection, entry, datetime.now(UTC))


def _create(connection: Connection, name: str, plan: Plan | None, now: datetime) -> None:
    statement = (
        insert(Account).values(name=name, plan_id=plan.id if plan else None, created_at=now).returning(Account.id)
    )
    account_id = connection.execute(statement).scalar_one()
    connection.execute(insert(Balance).values(account_id=account_id))


def _get(connection: Connection, name: str) -> AccountFacts:
    columns = (Account.id, Account.name, Account.email, Account.plan_id, Account.created_at, Account.disabled_at)
    row = connection.execute(select(*columns).where(Account.name == name)).first()
    if row is None:
        raise NoSuchAccount(f"There is no account named {name}.")
    return AccountFacts(*row)


def _change(store: Store, name: str, **values: object) -> None:
    with store.write() as connection:
        if connection.execute(update(Account).where(Account.name == name).values(**values)).rowcount == 0:
            raise NoSuchAccount(f"There is no account named {name}.")
