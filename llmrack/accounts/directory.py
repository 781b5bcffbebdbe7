"""People as a directory looks after them by SCIM: made, found, renamed, and ended at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exc, func, insert, select, update

from ..store.database import Store
from ..store.tables.accounts import DirectoryEntry, Login
from ..store.tables.usage import Account
from . import accounts, audit, people

ACTOR = "scim"
# An account that an operator disabled for another reason is not enabled by a directory.
DEACTIVATED = "Your directory deactivated this account."


class NoSuchUser(LookupError):
    """No user has this id, or the directory deleted it."""


class UserExists(Exception):
    """Another user has this address."""


@dataclass(frozen=True)
class DirectoryUser:
    """One person, as a directory sees them. `user_name` is the address they sign in with."""

    id: int
    user_name: str
    external_id: str | None
    is_active: bool
    created_at: datetime


_COLUMNS = (Account.id, Account.email, DirectoryEntry.external_id, Account.disabled_at.is_(None), Account.created_at)


def _users() -> Any:
    joined = select(*_COLUMNS).join(Login, Login.account_id == Account.id)
    joined = joined.outerjoin(DirectoryEntry, DirectoryEntry.account_id == Account.id)
    return joined.where(DirectoryEntry.deleted_at.is_(None))


def get(store: Store, user_id: int) -> DirectoryUser:
    """Raises NoSuchUser."""
    with store.read() as connection:
        row = connection.execute(_users().where(Account.id == user_id)).first()
    if row is None:
        raise NoSuchUser
    return DirectoryUser(*row)


def find_page(
    store: Store, *, user_name: str | None, external_id: str | None, offset: int, limit: int
) -> tuple[int, list[DirectoryUser]]:
    """How many users there are, of one name or external id where it is given, and a page of them by id."""
    statement = _users()
    if user_name is not None:
        statement = statement.where(Account.email == user_name.lower())
    if external_id is not None:
        statement = statement.where(DirectoryEntry.external_id == external_id)
    with store.read() as connection:
        total = connection.execute(select(func.count()).select_from(statement.subquery())).scalar_one()
        rows = connection.execute(statement.order_by(Account.id).offset(offset).limit(limit)).all()
    return int(total), [DirectoryUser(*row) for row in rows]


def create(store: Store, email: str, external_id: str | None, now: datetime, *, is_active: bool) -> DirectoryUser:
    """A new person without a password, or one that the directory deleted before. Raises UserExists."""
    try:
        with store.write() as connection:
            user_id = _deleted(connection, email)
            if user_id is None:
                user_id = people.make(connection, email, people.NO_PASSWORD, now, is_verified=True, actor=ACTOR)
            _keep(connection, user_id, external_id=external_id, deleted_at=None)
    except exc.IntegrityError:
        raise UserExists from None
    set_active(store, user_id, now, is_active=is_active)
    return get(store, user_id)


def _deleted(connection: Connection, email: str) -> int | None:
    statement = select(Account.id).join(DirectoryEntry, DirectoryEntry.account_id == Account.id)
    found: int | None = connection.execute(
        statement.where(Account.email == email, DirectoryEntry.deleted_at.is_not(None))
    ).scalar()
    return found


def _keep(connection: Connection, user_id: int, **values: object) -> None:
    same = DirectoryEntry.account_id == user_id
    if not connection.execute(update(DirectoryEntry).where(same).values(values)).rowcount:
        connection.execute(insert(DirectoryEntry).values(account_id=user_id, **values))


def change(
    store: Store, user_id: int, now: datetime, *, email: str | None, external_id: str | None, is_active: bool | None
) -> DirectoryUser:
    """Change what is given. Ending comes first: it must not wait for the rest. Raises NoSuchUser and UserExists."""
    user = get(store, user_id)
    if is_active is not None:
        set_active(store, user_id, now, is_active=is_active)
    if email is not None and email != user.user_name:
        if not people.set_email(store, user_id, email, now, is_proved=True):
            raise UserExists
        audit.note(store, audit.Act(ACTOR, "account.email", user_id, email), now)
    if external_id is not None and external_id != user.external_id:
        with store.write() as connection:
            _keep(connection, user_id, external_id=external_id)
    return get(store, user_id)


def set_active(store: Store, user_id: int, now: datetime, *, is_active: bool) -> None:
    """End every session and refuse every key of a person, or undo what this did before."""
    with store.read() as connection:
        row = connection.execute(
            select(Account.disabled_at, Account.disabled_reason).where(Account.id == user_id)
        ).first()
    if row is None:
        raise NoSuchUser
    if not is_active and row.disabled_at is None:
        accounts.disable(store, user_id, DEACTIVATED, now, actor=ACTOR)
    elif is_active and row.disabled_at is not None and row.disabled_reason == DEACTIVATED:
        accounts.enable(store, user_id, now, actor=ACTOR)


def delete(store: Store, user_id: int, now: datetime) -> None:
    """End a person's ways in, and show them to the directory no more; usage stays. Raises NoSuchUser."""
    get(store, user_id)
    set_active(store, user_id, now, is_active=False)
    with store.write() as connection:
        _keep(connection, user_id, deleted_at=now)
