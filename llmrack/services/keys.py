"""API keys: made once, listed, revoked at once. `callers` says who is behind one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, or_, select, update

from .. import permissions as rights
from ..store import locks
from ..store.db import Store
from ..store.models import Account, Key
from . import accounts, keytext

# Revoked keys stay in the table, so what an account can make in a day is bounded too.
MADE_IN_A_DAY = 500


class NoSuchKey(LookupError):
    """No key fits, or more than one does; the message says which."""


class TooManyKeys(ValueError):
    """The account has as many working keys as one may have, or made too many in a day."""


@dataclass(frozen=True)
class Restrictions:
    """What a key may do less than its plan. None in a limit leaves it to the plan, in a list allows everything.

    `addresses` are networks in CIDR form, `nanousd_per_month` is of a calendar month in UTC.
    """

    requests_per_minute: int | None = None
    tokens_per_day: int | None = None
    nanousd_per_month: int | None = None
    models: tuple[str, ...] | None = None
    addresses: tuple[str, ...] | None = None


NO_RESTRICTIONS = Restrictions()


@dataclass(frozen=True)
class KeyFacts:
    """One key, as stored. `redacted` is all that is known of its secret."""

    id: int
    account: str
    name: str
    mode: str
    permissions: tuple[str, ...]
    redacted: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    account_id: int
    paused_at: datetime | None
    restrictions: Restrictions

    def state(self, now: datetime) -> str:
        """ "active", "paused", "revoked" or "expired"."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "paused" if self.paused_at is not None else "active"


@dataclass(frozen=True)
class Issued:
    """A new key. `secret` exists here only."""

    secret: str
    key: KeyFacts


def issue(
    store: Store,
    *,
    name: str,
    mode: str,
    permissions: tuple[str, ...] = (rights.ALL,),
    expires_at: datetime | None = None,
    account: str | None = None,
    now: datetime | None = None,
    requests_per_minute: int | None = None,
    tokens_per_day: int | None = None,
    restrictions: Restrictions | None = None,
    account_id: int | None = None,
    paused_at: datetime | None = None,
    most: int | None = None,
) -> Issued:
    """Make a key for the account of this id or name, or for the local one, which is made when it is first needed.

    `most` bounds how many working keys the account may have then.
    Raises ValueError for an unknown mode or permission, NoSuchAccount for an unknown account, TooManyKeys.
    """
    rights.expand(permissions)
    now = now or datetime.now(UTC)
    secret = keytext.generate(mode)
    if account_id is None:
        owner = accounts.find(store, account) if account else accounts.ensure(store, accounts.LOCAL, now)
        account_id = owner.id
    own = restrictions or Restrictions(requests_per_minute=requests_per_minute, tokens_per_day=tokens_per_day)
    with store.write() as connection:
        if most is not None:
            locks.hold(connection, f"keys:{account_id}")
            _require_room(connection, account_id, now, most)
        key_id = connection.execute(
            insert(Key)
            .values(
                account_id=account_id,
                name=name,
                mode=mode,
                permissions=",".join(permissions),
                secret_sha256=keytext.digest(secret),
                prefix=secret[:12],
                last4=secret[-4:],
                created_at=now,
                expires_at=expires_at,
                paused_at=paused_at,
                **columns(own),
            )
            .returning(Key.id)
        ).scalar_one()
    return Issued(secret, select_where(store, Key.id == key_id)[0])


def _require_room(connection: Connection, account_id: int, now: datetime, most: int) -> None:
    """Raises TooManyKeys. Revoked and expired keys do not count as working."""
    is_alive = Key.revoked_at.is_(None) & or_(Key.expires_at.is_(None), Key.expires_at > now)
    counted = select(
        func.count().filter(is_alive), func.count().filter(Key.created_at > now - timedelta(days=1))
    ).where(Key.account_id == account_id)
    working, made = connection.execute(counted).one()
    if working >= most:
        raise TooManyKeys(f"An account has at most {most} keys. Revoke one that is not used any more.")
    if made >= MADE_IN_A_DAY:
        raise TooManyKeys(f"An account makes at most {MADE_IN_A_DAY} keys in a day.")


def columns(own: Restrictions) -> dict[str, object]:
    """The restrictions as the row has them."""
    return {
        "requests_per_minute": own.requests_per_minute,
        "tokens_per_day": own.tokens_per_day,
        "nanousd_per_month": own.nanousd_per_month,
        "models": None if own.models is None else ",".join(own.models),
        "addresses": None if own.addresses is None else ",".join(own.addresses),
    }


def list_all(store: Store) -> list[KeyFacts]:
    """Every key, oldest first."""
    return select_where(store, Key.id > 0)


def any(store: Store) -> bool:
    """Whether any key was ever made."""
    with store.read() as connection:
        return connection.execute(select(Key.id).limit(1)).first() is not None


def revoke(store: Store, which: str, now: datetime) -> KeyFacts:
    """Refuse a key from the next request on; `which` is its id, its name, or how it starts.

    A key that was revoked before keeps its date. Raises NoSuchKey when none fits, or several do.
    """
    found = _find(store, which)
    with store.write() as connection:
        statement = update(Key).where(Key.id == found.id, Key.revoked_at.is_(None)).values(revoked_at=now)
        connection.execute(statement)
    return select_where(store, Key.id == found.id)[0]


def _find(store: Store, which: str) -> KeyFacts:
    tries: list[ColumnElement[bool]] = [Key.id == int(which)] if which.isascii() and which.isdigit() else []
    tries.append(Key.name == which)
    if which.startswith("rl_") and len(which) >= len("rl_live_") + 1:
        start, end = (part.strip(".…") for part in (which[:12], which[-4:]))
        starts = Key.prefix.startswith(start, autoescape=True)
        tries.append(starts & (Key.last4 == end) if len(which) > 12 else starts)
    for condition in tries:
        found = select_where(store, condition)
        if len(found) > 1:
            raise NoSuchKey(f"{len(found)} keys fit {which}. Give the id: `flask keys list` shows it.")
        if found:
            return found[0]
    raise NoSuchKey(f"No key has the id, the name or the start {which}. `flask keys list` shows them all.")


def select_where(store: Store, condition: ColumnElement[bool]) -> list[KeyFacts]:
    """The keys that fit, oldest first."""
    statement = (
        select(Key.__table__, Account.name.label("account"))
        .join(Account, Account.id == Key.account_id)
        .where(condition)
        .order_by(Key.id)
    )
    with store.read() as connection:
        rows = connection.execute(statement).all()
    return [_facts(row) for row in rows]


def _facts(row: Any) -> KeyFacts:
    return KeyFacts(
        id=row.id,
        account=row.account,
        name=row.name,
        mode=row.mode,
        permissions=tuple(row.permissions.split(",")),
        redacted=f"{row.prefix}…{row.last4}",
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        account_id=row.account_id,
        paused_at=row.paused_at,
        restrictions=Restrictions(
            requests_per_minute=row.requests_per_minute,
            tokens_per_day=row.tokens_per_day,
            nanousd_per_month=row.nanousd_per_month,
            models=_listed(row.models),
            addresses=_listed(row.addresses),
        ),
    )


def _listed(joined: str | None) -> tuple[str, ...] | None:
    return None if joined is None else tuple(joined.split(","))
