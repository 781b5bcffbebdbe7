"""API keys: made once, listed, changed, revoked at once. `callers` says who is behind one.

Every function but `find` and `list_all` finds a key by its account and id together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, literal, or_, select, update
from sqlalchemy.orm import aliased

from .. import permissions as rights
from ..accounts import audit
from ..store import locks
from ..store.database import Store
from ..store.tables.base import UtcTime
from ..store.tables.teams import Project
from ..store.tables.usage import Account, Key
from . import key_format

_Person = aliased(Account)
# How long a replaced key goes on working, so that it can be exchanged everywhere.
OVERLAP = timedelta(hours=24)
# A revoked or expired key stays in the list this long.
SHOWN = timedelta(days=90)
# One account cannot fill the table.
MOST = 200
# Replaced keys still work for a day, so that an account with as many keys as it may have can replace some.
ROTATIONS_BEYOND = 20
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
    """One key, as stored. `redacted` is all that is known of its secret.

    A team's key has the member who made it, by account and address, and the project it is for, if any.
    """

    id: int
    account: str
    name: str
    mode: str
    permissions: tuple[str, ...]
    redacted: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_reason: str | None
    last_used_at: datetime | None
    account_id: int
    paused_at: datetime | None
    restrictions: Restrictions
    member_id: int | None = None
    member: str | None = None
    project_id: int | None = None
    project: str | None = None

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
    account_id: int,
    now: datetime,
    *,
    actor: str,
    name: str,
    mode: str,
    permissions: tuple[str, ...] = (rights.ALL,),
    expires_at: datetime | None = None,
    restrictions: Restrictions = NO_RESTRICTIONS,
    paused_at: datetime | None = None,
    member_id: int | None = None,
    project_id: int | None = None,
    most: int | None = MOST,
) -> Issued:
    """Make a key, paused from the start where the one that it replaces is.

    `member_id` and `project_id` are of a team's key, and stay. `most` bounds how many working keys the account may
    have then; None leaves that to the operator. Raises ValueError for an unknown mode or permission, TooManyKeys.
    """
    rights.expand(permissions)
    secret = key_format.generate(mode)
    row = {
        "account_id": account_id,
        "name": name,
        "mode": mode,
        "permissions": ",".join(permissions),
        "secret_sha256": key_format.digest(secret),
        "prefix": secret[:12],
        "last4": secret[-4:],
        "created_at": now,
        "expires_at": expires_at,
        "paused_at": paused_at,
        "member_id": member_id,
        "project_id": project_id,
        **_columns(restrictions),
    }
    with store.write() as connection:
        if most is not None:
            locks.hold(connection, f"keys:{account_id}")
            _require_room(connection, account_id, now, most)
        key_id = connection.execute(insert(Key).values(row).returning(Key.id)).scalar_one()
        audit.record(connection, audit.Act(actor, "key.create", account_id, f"key {key_id}, {name}, {mode}"), now)
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


def _columns(own: Restrictions) -> dict[str, object]:
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


def exists(store: Store) -> bool:
    """Whether any key was ever made."""
    with store.read() as connection:
        return connection.execute(select(Key.id).limit(1)).first() is not None


def find(store: Store, which: str) -> KeyFacts:
    """The key with this id, this name, or this start. Raises NoSuchKey when none fits, or several do."""
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


def of_account(store: Store, account_id: int, now: datetime) -> list[KeyFacts]:
    """The keys of an account, newest first: those that work, and those that ended a short while ago."""
    since = now - SHOWN
    is_recent = or_(Key.revoked_at.is_(None), Key.revoked_at > since)
    is_known = or_(Key.expires_at.is_(None), Key.expires_at > since)
    return select_where(store, (Key.account_id == account_id) & is_recent & is_known)[::-1]


def working(store: Store, account_id: int, now: datetime) -> list[KeyFacts]:
    """The live keys of an account that are accepted now, or again once they are resumed; newest first."""
    found = of_account(store, account_id, now)
    return [key for key in found if key.mode == "live" and key.state(now) in ("active", "paused")]


def get(store: Store, account_id: int, key_id: int) -> KeyFacts:
    """Raises NoSuchKey, also for another account's key."""
    found = select_where(store, (Key.id == key_id) & (Key.account_id == account_id))
    if not found:
        raise NoSuchKey(f"This account has no key {key_id}.")
    return found[0]


def change(
    store: Store,
    account_id: int,
    key_id: int,
    *,
    name: str,
    permissions: tuple[str, ...],
    expires_at: datetime | None,
    restrictions: Restrictions,
) -> KeyFacts:
    """Give a key another name, other rights or limits. Raises NoSuchKey, or ValueError for an unknown permission."""
    rights.expand(permissions)
    values = {
        "name": name,
        "permissions": ",".join(permissions),
        "expires_at": expires_at,
        **_columns(restrictions),
    }
    return _update(store, account_id, key_id, values)


def pause(store: Store, account_id: int, key_id: int, now: datetime) -> KeyFacts:
    """Refuse a key until `resume`. Raises NoSuchKey."""
    return _update(store, account_id, key_id, {"paused_at": func.coalesce(Key.paused_at, literal(now, UtcTime))})


def resume(store: Store, account_id: int, key_id: int) -> KeyFacts:
    """Undo `pause`. Raises NoSuchKey."""
    return _update(store, account_id, key_id, {"paused_at": None})


def revoke(
    store: Store, account_id: int, key_id: int, now: datetime, *, actor: str, reason: str | None = None
) -> KeyFacts:
    """Refuse a key for good, from the next request on. One that was revoked before keeps its date and reason.

    The owner of the account reads `reason`. Raises NoSuchKey.
    """
    key = get(store, account_id, key_id)
    with store.write() as connection:
        same = (Key.id == key_id, Key.account_id == account_id, Key.revoked_at.is_(None))
        values = {"revoked_at": now, "revoked_reason": reason and reason[:500]}
        if connection.execute(update(Key).where(*same).values(values)).rowcount:
            detail = f"key {key_id}, {key.name}{f': {reason}' if reason else ''}"
            audit.record(connection, audit.Act(actor, "key.revoke", account_id, detail), now)
    return get(store, account_id, key_id)


def revoke_live(store: Store, account_id: int, now: datetime, *, actor: str) -> int:
    """Refuse every live key of an account for good; how many worked until now."""
    mine = (Key.account_id == account_id, Key.mode == "live", Key.revoked_at.is_(None))
    is_accepted = or_(Key.expires_at.is_(None), Key.expires_at > now)
    with store.write() as connection:
        count = connection.execute(update(Key).where(*mine, is_accepted).values(revoked_at=now)).rowcount
        if count:
            audit.record(connection, audit.Act(actor, "key.revoke", account_id, f"all {count} live keys"), now)
    return count


def rotate(store: Store, account_id: int, key_id: int, now: datetime, *, actor: str) -> Issued:
    """A new key like this one, which itself ends in a day. Raises NoSuchKey when it does not work any more,
    TooManyKeys."""
    old = get(store, account_id, key_id)
    if old.state(now) not in ("active", "paused"):
        raise NoSuchKey(f"Key {key_id} does not work any more, so there is nothing to replace. Make a new one.")
    issued = issue(
        store,
        account_id,
        now,
        actor=actor,
        name=old.name,
        mode=old.mode,
        permissions=old.permissions,
        # A key that was made for so many days is replaced by one for as many.
        expires_at=now + (old.expires_at - old.created_at) if old.expires_at else None,
        restrictions=old.restrictions,
        paused_at=old.paused_at,
        member_id=old.member_id,
        project_id=old.project_id,
        most=MOST + ROTATIONS_BEYOND,
    )
    ends_at = now + OVERLAP
    earlier = Key.expires_at.is_(None) | (Key.expires_at > ends_at)
    with store.write() as connection:
        connection.execute(update(Key).where(Key.id == old.id, earlier).values(expires_at=ends_at))
        detail = f"key {key_id}, {old.name}, by key {issued.key.id}"
        audit.record(connection, audit.Act(actor, "key.rotate", account_id, detail), now)
    return issued


def _update(store: Store, account_id: int, key_id: int, values: dict[str, Any]) -> KeyFacts:
    with store.write() as connection:
        statement = update(Key).where(Key.id == key_id, Key.account_id == account_id).values(**values)
        connection.execute(statement)
    return get(store, account_id, key_id)


def select_where(store: Store, condition: ColumnElement[bool]) -> list[KeyFacts]:
    """The keys that fit, oldest first."""
    statement = (
        select(
            Key.__table__, Account.name.label("account"), _Person.email.label("member"), Project.name.label("project")
        )
        .join(Account, Account.id == Key.account_id)
        .outerjoin(_Person, _Person.id == Key.member_id)
        .outerjoin(Project, Project.id == Key.project_id)
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
        revoked_reason=row.revoked_reason,
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
        member_id=row.member_id,
        member=row.member,
        project_id=row.project_id,
        project=row.project,
    )


def _listed(joined: str | None) -> tuple[str, ...] | None:
    return None if joined is None else tuple(joined.split(","))
