"""One-time links, mailed or printed at a start: looking at one changes nothing, using it deletes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from ..store.database import Store
from ..store.tables.accounts import Link
from ..store.tables.usage import Account
from . import tokens

VERIFY, RESET, EMAIL, OPERATOR = "verify", "reset", "email", "operator"
# Ten minutes is the most ASVS 5.0 (6.5.5) grants to a link that replaces a password.
LIVES: dict[str, timedelta] = {
    VERIFY: timedelta(hours=24),
    RESET: timedelta(minutes=10),
    EMAIL: timedelta(hours=24),
    OPERATOR: timedelta(hours=1),
}


@dataclass(frozen=True)
class LinkFacts:
    """What a link stands for. `email` is the address it was sent to."""

    account_id: int
    email: str
    browser_sha256: str | None


def make(store: Store, account_id: int, purpose: str, email: str, now: datetime, browser: str | None = None) -> str:
    """A new link's token; earlier ones for the same purpose stop working. `browser` marks who asked for it."""
    token = tokens.make()
    row = {
        "token_sha256": tokens.digest(token),
        "account_id": account_id,
        "purpose": purpose,
        "email": email,
        "browser_sha256": tokens.digest(browser) if browser else None,
        "created_at": now,
        "expires_at": now + LIVES[purpose],
    }
    with store.write() as connection:
        connection.execute(delete(Link).where(Link.account_id == account_id, Link.purpose == purpose))
        connection.execute(insert(Link).values(row))
    return token


def peek(store: Store, token: str, purpose: str, now: datetime) -> LinkFacts | None:
    """What a link stands for, or None when it was used, has expired or never was."""
    columns = (Link.account_id, Link.email, Link.browser_sha256)
    statement = select(*columns).join(Account, Account.id == Link.account_id).where(*_fits(token, purpose, now))
    with store.read() as connection:
        row = connection.execute(statement.where(Account.disabled_at.is_(None))).first()
    return LinkFacts(*row) if row else None


def use(store: Store, token: str, purpose: str, now: datetime) -> LinkFacts | None:
    """`peek`, and the link is gone: of several that use it at the same time one gets it."""
    with store.write() as connection:
        return take(connection, token, purpose, now)


def take(connection: Connection, token: str, purpose: str, now: datetime) -> LinkFacts | None:
    """`use`, within a transaction that does what the link is for."""
    columns = (Link.account_id, Link.email, Link.browser_sha256)
    row = connection.execute(delete(Link).where(*_fits(token, purpose, now)).returning(*columns)).first()
    return LinkFacts(*row) if row else None


def _fits(token: str, purpose: str, now: datetime):  # type: ignore[no-untyped-def]
    return (Link.token_sha256 == tokens.digest(token), Link.purpose == purpose, Link.expires_at > now)


def revoke_all(store: Store, account_id: int) -> None:
    """Stop every link of an account that was not used yet."""
    with store.write() as connection:
        connection.execute(delete(Link).where(Link.account_id == account_id))
