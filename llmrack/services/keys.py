"""API keys: made once, looked up by hash on every request, revoked at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, bindparam, insert, select, update

from .. import permissions as rights
from ..errors import AuthenticationFailed
from ..plans import Plan, Plans
from ..store.base import from_microseconds, microseconds
from ..store.db import Statement, Store
from ..store.models import Account, Key
from . import accounts, keytext


class NoSuchKey(LookupError):
    """No key fits, or more than one does; the message says which."""


@dataclass(frozen=True)
class Caller:
    """Whose request this is. The last two are the key's own limits; None leaves it to the plan's."""

    account_id: int
    key_id: int
    key_name: str
    mode: str
    plan: Plan
    permissions: frozenset[str]
    requests_per_minute: int | None = None
    tokens_per_day: int | None = None

    @property
    def is_live(self) -> bool:
        return self.mode == "live"


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

    def state(self, now: datetime) -> str:
        """ "active", "revoked" or "expired"."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


@dataclass(frozen=True)
class Issued:
    """A new key. `secret` exists here only."""

    secret: str
    key: KeyFacts


_RESOLVE = Statement(
    select(
        Key.account_id,
        Key.id,
        Key.name,
        Key.mode,
        Key.permissions,
        Key.revoked_at,
        Key.expires_at,
        Key.requests_per_minute,
        Key.tokens_per_day,
        Account.plan_id,
        Account.disabled_at,
    )
    .join(Account, Account.id == Key.account_id)
    .where(Key.secret_sha256 == bindparam("secret_sha256"))
)


def resolve(store: Store, plans: Plans, secret: str | None, now: datetime) -> Caller:
    """Who sent `secret`; None means that the request had none.

    Raises AuthenticationFailed with a sentence of its own for a missing, malformed, unknown, revoked and expired key
    and for a disabled account. The database is read every time, so a revocation holds from the next request on.
    """
    digest = keytext.check(secret)
    with store.query() as query:
        row = query.one(_RESOLVE, {"secret_sha256": digest})
    if row is None:
        raise AuthenticationFailed("There is no such API key. Check which server it belongs to, or generate a new one.")
    account_id, key_id, name, mode, granted, revoked_at, expires_at, per_minute, per_day, plan_id, disabled_at = row
    if revoked_at is not None:
        raise AuthenticationFailed(f"This API key was revoked on {_date(revoked_at)}. Generate a new key.")
    if expires_at is not None and expires_at <= microseconds(now):
        raise AuthenticationFailed(f"This API key expired on {_date(expires_at)}. Generate a new key.")
    if disabled_at is not None:
        raise AuthenticationFailed("The account of this API key is disabled.", code="account_disabled")
    return Caller(
        account_id=account_id,
        key_id=key_id,
        key_name=name,
        mode=mode,
        plan=plans.get(plan_id) or plans.default,
        permissions=_expanded(granted),
        requests_per_minute=per_minute,
        tokens_per_day=per_day,
    )


def _date(stored: int) -> str:
    return from_microseconds(stored).date().isoformat()


def _expanded(granted: str) -> frozenset[str]:
    """Rights that this version does not know any more are ignored."""
    names = granted.split(",")
    return rights.NAMES if rights.ALL in names else rights.NAMES.intersection(names)


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
) -> Issued:
    """Make a key for the account of this name, or for the local one, which is made when it is first needed.

    Raises ValueError for an unknown mode or permission, NoSuchAccount for an unknown account.
    """
    rights.expand(permissions)
    now = now or datetime.now(UTC)
    secret = keytext.generate(mode)
    owner = accounts.find(store, account) if account else accounts.ensure(store, accounts.LOCAL, now)
    with store.write() as connection:
        key_id = connection.execute(
            insert(Key)
            .values(
                account_id=owner.id,
                name=name,
                mode=mode,
                permissions=",".join(permissions),
                secret_sha256=keytext.digest(secret),
                prefix=secret[:12],
                last4=secret[-4:],
                created_at=now,
                expires_at=expires_at,
                requests_per_minute=requests_per_minute,
                tokens_per_day=tokens_per_day,
            )
            .returning(Key.id)
        ).scalar_one()
    return Issued(secret, _select(store, Key.id == key_id)[0])


def list_all(store: Store) -> list[KeyFacts]:
    """Every key, oldest first."""
    return _select(store, Key.id > 0)


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
    return _select(store, Key.id == found.id)[0]


def _find(store: Store, which: str) -> KeyFacts:
    tries: list[ColumnElement[bool]] = [Key.id == int(which)] if which.isascii() and which.isdigit() else []
    tries.append(Key.name == which)
    if which.startswith("rl_") and len(which) >= len("rl_live_") + 1:
        start, end = (part.strip(".…") for part in (which[:12], which[-4:]))
        starts = Key.prefix.startswith(start, autoescape=True)
        tries.append(starts & (Key.last4 == end) if len(which) > 12 else starts)
    for condition in tries:
        found = _select(store, condition)
        if len(found) > 1:
            raise NoSuchKey(f"{len(found)} keys fit {which}. Give the id: `flask keys list` shows it.")
        if found:
            return found[0]
    raise NoSuchKey(f"No key has the id, the name or the start {which}. `flask keys list` shows them all.")


def _select(store: Store, condition: ColumnElement[bool]) -> list[KeyFacts]:
    columns = (
        Key.id,
        Account.name,
        Key.name,
        Key.mode,
        Key.permissions,
        Key.prefix,
        Key.last4,
        Key.created_at,
        Key.expires_at,
        Key.revoked_at,
        Key.last_used_at,
    )
    statement = select(*columns).join(Account, Account.id == Key.account_id).where(condition).order_by(Key.id)
    with store.read() as connection:
        rows = connection.execute(statement).all()
    return [
        KeyFacts(id_, account, name, mode, tuple(granted.split(",")), f"{prefix}…{last4}", *times)
        for id_, account, name, mode, granted, prefix, last4, *times in rows
    ]
