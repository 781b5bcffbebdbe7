"""The first operator: a link that a start prints gives the account of the machine to the person who opens it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, exc, select, update

from ..store import locks
from ..store.database import Store
from ..store.tables.accounts import Login
from ..store.tables.usage import Account
from . import accounts, audit, links, passwords, people


class AddressTaken(ValueError):
    """Another account signs in with this address."""


def link(store: Store, now: datetime, *, actor: str) -> str | None:
    """A new link's token, which ends earlier ones; None where there is an operator, or nobody may become one by it.

    It belongs to the account of the machine, so that the operator finds the first key among the keys.
    """
    with store.read() as connection:
        if _has_operator(connection):
            return None
    local = accounts.ensure(store, accounts.LOCAL, now, actor=actor)
    with store.read() as connection:
        if _has_login(connection, local.id) or local.disabled_at is not None:
            return None
    return links.make(store, local.id, links.OPERATOR, "", now)


def is_open(store: Store, token: str, now: datetime) -> bool:
    """Whether the link still makes an operator. Looking at it changes nothing."""
    if links.peek(store, token, links.OPERATOR, now) is None:
        return False
    with store.read() as connection:
        return not _has_operator(connection)


def become(store: Store, token: str, email: str, password: str, now: datetime) -> int | None:
    """The operator's account id; None when the link works no more, which includes that another was quicker.

    Raises WeakPassword and AddressTaken, and the link is for another try. `email` is what `people.address` returned.
    """
    passwords.check(password, email)
    hashed = passwords.hash_password(password)
    try:
        with store.write() as connection:
            locks.hold(connection, "first-operator")
            if _has_operator(connection):
                return None
            found = links.take(connection, token, links.OPERATOR, now)
            if found is None or _has_login(connection, found.account_id):
                return None
            connection.execute(update(Account).where(Account.id == found.account_id).values(email=email))
            people.add_login(connection, found.account_id, hashed, now, is_verified=True, is_operator=True)
            act = audit.Act(audit.OWNER, "account.operator", found.account_id, "by the link of a start")
            audit.record(connection, act, now)
    except exc.IntegrityError as error:
        raise AddressTaken("This address has an account here already. Choose another one.") from error
    return found.account_id


def _has_operator(connection: Connection) -> bool:
    return connection.execute(select(Login.account_id).where(Login.is_operator).limit(1)).first() is not None


def _has_login(connection: Connection, account_id: int) -> bool:
    return connection.execute(select(Login.account_id).where(Login.account_id == account_id)).first() is not None
