"""What the owner of an account does with its keys. Every function finds a key by its owner and id together."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, literal, or_, update

from .. import permissions as rights
from ..store.base import UtcTime
from ..store.db import Store
from ..store.models import Key
from . import keys
from .keys import Issued, KeyFacts, NoSuchKey, Restrictions, TooManyKeys

__all__ = ["TooManyKeys"]

# How long a replaced key goes on working, so that it can be exchanged everywhere.
OVERLAP = timedelta(hours=24)
# A revoked or expired key stays in the list this long.
SHOWN = timedelta(days=90)
# One account cannot fill the table.
MOST = 200
# Replaced keys still work for a day, so that an account with as many keys as it may have can replace some.
ROTATIONS_BEYOND = 20


def list_all(store: Store, account_id: int, now: datetime) -> list[KeyFacts]:
    """The keys of an account, newest first: those that work, and those that ended a short while ago."""
    since = now - SHOWN
    is_recent = or_(Key.revoked_at.is_(None), Key.revoked_at > since)
    is_known = or_(Key.expires_at.is_(None), Key.expires_at > since)
    return keys.select_where(store, (Key.account_id == account_id) & is_recent & is_known)[::-1]


def working(store: Store, account_id: int, now: datetime) -> list[KeyFacts]:
    """The live keys of an account that are accepted now, or again once they are resumed; newest first."""
    found = list_all(store, account_id, now)
    return [key for key in found if key.mode == "live" and key.state(now) in ("active", "paused")]


def get(store: Store, account_id: int, key_id: int) -> KeyFacts:
    """Raises NoSuchKey, also for somebody else's key."""
    found = keys.select_where(store, (Key.id == key_id) & (Key.account_id == account_id))
    if not found:
        raise NoSuchKey(f"This account has no key {key_id}.")
    return found[0]


def issue(
    store: Store,
    account_id: int,
    now: datetime,
    *,
    name: str,
    mode: str,
    permissions: tuple[str, ...],
    expires_at: datetime | None,
    restrictions: Restrictions,
    paused_at: datetime | None = None,
    most: int = MOST,
) -> Issued:
    """Make a key, paused from the start where the one that it replaces is.

    Raises TooManyKeys, or ValueError for an unknown mode or permission.
    """
    return keys.issue(
        store,
        name=name,
        mode=mode,
        permissions=permissions,
        expires_at=expires_at,
        account_id=account_id,
        now=now,
        restrictions=restrictions,
        paused_at=paused_at,
        most=most,
    )


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
        **keys.columns(restrictions),
    }
    return _update(store, account_id, key_id, values)


def pause(store: Store, account_id: int, key_id: int, now: datetime) -> KeyFacts:
    """Refuse a key until `resume`. Raises NoSuchKey."""
    return _update(store, account_id, key_id, {"paused_at": func.coalesce(Key.paused_at, literal(now, UtcTime))})


def resume(store: Store, account_id: int, key_id: int) -> KeyFacts:
    """Undo `pause`. Raises NoSuchKey."""
    return _update(store, account_id, key_id, {"paused_at": None})


def revoke(store: Store, account_id: int, key_id: int, now: datetime) -> KeyFacts:
    """Refuse a key for good. Raises NoSuchKey."""
    return _update(store, account_id, key_id, {"revoked_at": func.coalesce(Key.revoked_at, literal(now, UtcTime))})


def revoke_live(store: Store, account_id: int, now: datetime) -> int:
    """Refuse every live key of an account for good; how many worked until now."""
    mine = (Key.account_id == account_id, Key.mode == "live", Key.revoked_at.is_(None))
    is_accepted = or_(Key.expires_at.is_(None), Key.expires_at > now)
    with store.write() as connection:
        return connection.execute(update(Key).where(*mine, is_accepted).values(revoked_at=now)).rowcount


def rotate(store: Store, account_id: int, key_id: int, now: datetime) -> Issued:
    """A new key like this one, which itself ends in a day. Raises NoSuchKey when it does not work any more,
    TooManyKeys."""
    old = get(store, account_id, key_id)
    if old.state(now) not in ("active", "paused"):
        raise NoSuchKey(f"Key {key_id} does not work any more, so there is nothing to replace. Make a new one.")
    issued = issue(
        store,
        account_id,
        now,
        name=old.name,
        mode=old.mode,
        permissions=old.permissions,
        expires_at=_moved(old, now),
        restrictions=old.restrictions,
        paused_at=old.paused_at,
        most=MOST + ROTATIONS_BEYOND,
    )
    ends_at = now + OVERLAP
    earlier = Key.expires_at.is_(None) | (Key.expires_at > ends_at)
    with store.write() as connection:
        connection.execute(update(Key).where(Key.id == old.id, earlier).values(expires_at=ends_at))
    return issued


def _moved(old: KeyFacts, now: datetime) -> datetime | None:
    """A key that was made for so many days is replaced by one for as many."""
    return now + (old.expires_at - old.created_at) if old.expires_at else None


def _update(store: Store, account_id: int, key_id: int, values: dict[str, Any]) -> KeyFacts:
    with store.write() as connection:
        statement = update(Key).where(Key.id == key_id, Key.account_id == account_id).values(**values)
        connection.execute(statement)
    return get(store, account_id, key_id)
