"""People and their accounts: signing up, proving a password, changing what they sign in with, leaving."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import Connection, delete, exc, func, insert, literal, select, update

from ..store.database import Store
from ..store.tables.accounts import DirectoryEntry, Identity, Link, Login, RecoveryCode, WebSession
from ..store.tables.base import UtcTime
from ..store.tables.billing import CLOSED, OPEN, Checkout
from ..store.tables.teams import Invite, Member
from ..store.tables.usage import Account, Balance, Key
from . import audit, links, passwords

# No hash: no password fits it.
NO_PASSWORD = "!"  # noqa: S105


class BadEmail(ValueError):
    """Not an e-mail address; the message says what is wrong."""


class NoSuchPerson(LookupError):
    """No person signs in with this address."""


@dataclass(frozen=True)
class Person:
    """Someone who can sign in."""

    account_id: int
    email: str
    password_hash: str
    is_verified: bool
    is_operator: bool
    has_second_factor: bool
    is_disabled: bool
    disabled_reason: str | None


def address(text: str) -> str:
    """An address in the one form we store: lower case, checked for its shape only. Raises BadEmail."""
    try:
        found = validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise BadEmail("Enter an e-mail address such as ada@example.com.") from error
    normal = found.normalized.lower()
    if len(normal) > 254:
        raise BadEmail("This address is too long.")
    return normal


def find(store: Store, email: str) -> Person | None:
    with store.read() as connection:
        return _find(connection, Account.email == email)


def get(store: Store, account_id: int) -> Person:
    """Raises NoSuchPerson."""
    with store.read() as connection:
        person = _find(connection, Account.id == account_id)
    if person is None:
        raise NoSuchPerson(f"No person signs in to account {account_id}.")
    return person


def _find(connection: Connection, condition: Any) -> Person | None:
    columns = (
        Account.id,
        Account.email,
        Login.password_hash,
        Login.verified_at,
        Login.is_operator,
        Login.totp_confirmed_at,
        Account.disabled_at,
        Account.disabled_reason,
    )
    row = connection.execute(select(*columns).join(Login, Login.account_id == Account.id).where(condition)).first()
    if row is None:
        return None
    return Person(
        account_id=row.id,
        email=row.email or "",
        password_hash=row.password_hash,
        is_verified=row.verified_at is not None,
        is_operator=row.is_operator,
        has_second_factor=row.totp_confirmed_at is not None,
        is_disabled=row.disabled_at is not None,
        disabled_reason=row.disabled_reason,
    )


def sign_up(
    store: Store,
    email: str,
    password: str,
    now: datetime,
    *,
    is_operator: bool = False,
    is_verified: bool = False,
    actor: str = audit.OWNER,
) -> int | None:
    """A new account's id; None when the address has one already, which takes just as long.

    Raises WeakPassword. `email` is what `address` returned.
    """
    passwords.check(password, email)
    hashed = passwords.hash_password(password)
    try:
        with store.write() as connection:
            return make(connection, email, hashed, now, is_operator=is_operator, is_verified=is_verified, actor=actor)
    except exc.IntegrityError:
        return None


def make(
    connection: Connection,
    email: str,
    password_hash: str,
    now: datetime,
    *,
    is_verified: bool,
    actor: str,
    is_operator: bool = False,
) -> int:
    """A new account and its person; the account's id. IntegrityError when the address has an account already."""
    account = {"name": email, "email": email, "created_at": now}
    account_id = connection.execute(insert(Account).values(account).returning(Account.id)).scalar_one()
    connection.execute(insert(Balance).values(account_id=account_id))
    add_login(connection, account_id, password_hash, now, is_verified=is_verified, is_operator=is_operator)
    what = ", ".join(word for word, holds in (("confirmed", is_verified), ("operator", is_operator)) if holds)
    audit.record(connection, audit.Act(actor, "account.create", account_id, what), now)
    return int(account_id)


def add_login(
    connection: Connection,
    account_id: int,
    password_hash: str,
    now: datetime,
    *,
    is_verified: bool,
    is_operator: bool,
) -> None:
    """Let a person sign in to an account that had none."""
    login = {
        "account_id": account_id,
        "password_hash": password_hash,
        "password_changed_at": now,
        "verified_at": now if is_verified else None,
        "is_operator": is_operator,
    }
    connection.execute(insert(Login).values(login))


def authenticate(store: Store, email: str, password: str) -> Person | None:
    """The person with this address and password, who may be disabled. Every failure takes as long as every other."""
    person = find(store, email)
    is_right = passwords.verify(person.password_hash if person else None, password)
    if person is None or not is_right:
        return None
    if passwords.is_outdated(person.password_hash):
        _change(store, person.account_id, password_hash=passwords.hash_password(password))
    return person


def has_password(store: Store, account_id: int, password: str) -> bool:
    return passwords.verify(get(store, account_id).password_hash, password)


def verify(store: Store, link: str, now: datetime, *, claims: bool) -> links.LinkFacts | None:
    """Use the link that shows that a person reads the mail of the account's address; None when it works no more.

    `claims` gives the account to that person: see `claim`.
    """
    with store.write() as connection:
        found = links.take(connection, link, links.VERIFY, now)
        if found is not None and claims:
            claim(connection, found.account_id, "confirmed in another browser", now)
        elif found is not None:
            _set_verified(connection, found.account_id, now)
    return found


def reset_password(store: Store, link: str, password: str, now: datetime) -> links.LinkFacts | None:
    """Set another password by a link, and end every session and link; None when the link works no more.

    Where the address was not confirmed before, everything else ends as well: see `claim`. Raises WeakPassword, and
    the link is for another try.
    """
    found = links.peek(store, link, links.RESET, now)
    if found is None:
        return None
    passwords.check(password, found.email)
    hashed = passwords.hash_password(password)
    with store.write() as connection:
        if links.take(connection, link, links.RESET, now) is None:
            return None
        same = Login.account_id == found.account_id
        if connection.execute(select(Login.verified_at).where(same)).scalar() is None:
            claim(connection, found.account_id, "the password was reset before the address was confirmed", now)
        connection.execute(update(Login).where(same).values(password_hash=hashed, password_changed_at=now))
        _set_verified(connection, found.account_id, now)
        for table in (WebSession, Link):
            connection.execute(delete(table).where(table.account_id == found.account_id))
    return found


def _set_verified(connection: Connection, account_id: int, now: datetime) -> None:
    first = func.coalesce(Login.verified_at, literal(now, UtcTime))
    connection.execute(update(Login).where(Login.account_id == account_id).values(verified_at=first))


def claim(connection: Connection, account_id: int, reason: str, now: datetime) -> None:
    """Give an account to the person who just showed that they read its mail: what was made before that ends.

    Another person may have made the account, and must keep no way in: sessions, links, identities, the second factor
    with its recovery codes, keys of both modes, and open orders end, and no password signs in until a new one is set.
    """
    _end_ways_in(connection, account_id, now)
    nothing = {"totp_nonce": None, "totp_confirmed_at": None, "totp_last_step": None}
    login = update(Login).where(Login.account_id == account_id)
    connection.execute(login.values(password_hash=NO_PASSWORD, password_changed_at=now, verified_at=now, **nothing))
    orders = update(Checkout).where(Checkout.account_id == account_id, Checkout.state == OPEN)
    connection.execute(orders.values(state=CLOSED, closed_at=now, version=Checkout.version + 1))
    audit.record(connection, audit.Act(audit.OWNER, "account.claimed", account_id, reason), now)


def _end_ways_in(connection: Connection, account_id: int, now: datetime) -> None:
    keys = update(Key).where((Key.account_id == account_id) | (Key.member_id == account_id))
    connection.execute(keys.values(revoked_at=func.coalesce(Key.revoked_at, literal(now, UtcTime))))
    for table in (WebSession, Link, RecoveryCode, Identity):
        connection.execute(delete(table).where(table.account_id == account_id))


def set_password(store: Store, account_id: int, password: str, now: datetime) -> None:
    """Raises WeakPassword. Sessions and links are the caller's to end."""
    passwords.check(password, get(store, account_id).email)
    _change(store, account_id, password_hash=passwords.hash_password(password), password_changed_at=now)


def set_email(store: Store, account_id: int, email: str, now: datetime, *, is_proved: bool) -> bool:
    """Sign in with `email` from now on; False when another account has it.

    Links that were sent to the address before stop working. Without proof that the person reads the mail of the new
    one it waits to be confirmed, so that its owner can claim the account.
    """
    with store.write() as connection:
        old = connection.execute(select(Account.email).where(Account.id == account_id)).scalar_one()
        if connection.execute(select(Account.id).where(Account.email == email, Account.id != account_id)).first():
            return False
        same = Account.id == account_id
        connection.execute(update(Account).where(same).values(email=email))
        # Accounts are named after their address unless they were given another name at the terminal.
        is_free = ~select(Account.id).where(Account.name == email).exists()
        connection.execute(update(Account).where(same, Account.name == old, is_free).values(name=email))
        verified_at = now if is_proved else None
        connection.execute(update(Login).where(Login.account_id == account_id).values(verified_at=verified_at))
        connection.execute(delete(Link).where(Link.account_id == account_id))
    return True


def set_profile(store: Store, account_id: int, display_name: str | None) -> None:
    _change(store, account_id, display_name=display_name)


def set_budget_mail(store: Store, account_id: int, wants: bool) -> None:
    _change(store, account_id, wants_budget_mail=wants)


def set_operator(store: Store, account_id: int, is_operator: bool, now: datetime, *, actor: str) -> None:
    """Let a person see and change every account, or not any more."""
    with store.write() as connection:
        write_operator(connection, account_id, is_operator, now, actor=actor)


def write_operator(
    connection: Connection, account_id: int, is_operator: bool, now: datetime, *, actor: str, detail: str = ""
) -> None:
    """`set_operator`, in the transaction of what led to it."""
    connection.execute(update(Login).where(Login.account_id == account_id).values(is_operator=is_operator))
    action = "account.operator" if is_operator else "account.operator.remove"
    audit.record(connection, audit.Act(actor, action, account_id, detail), now)


def erase(connection: Connection, account_id: int, now: datetime) -> None:
    """End every way into an account, of a person or a team, and take out what names it."""
    _end_ways_in(connection, account_id, now)
    connection.execute(update(WebSession).where(WebSession.team_id == account_id).values(team_id=None))
    connection.execute(delete(Invite).where((Invite.team_id == account_id) | (Invite.made_by == account_id)))
    connection.execute(delete(Member).where((Member.team_id == account_id) | (Member.person_id == account_id)))
    connection.execute(delete(DirectoryEntry).where(DirectoryEntry.account_id == account_id))
    connection.execute(delete(Login).where(Login.account_id == account_id))
    gone = {"name": f"deleted-{account_id}", "email": None, "disabled_at": now}
    connection.execute(update(Account).where(Account.id == account_id).values(gone))


def _change(store: Store, account_id: int, **values: object) -> None:
    with store.write() as connection:
        connection.execute(update(Login).where(Login.account_id == account_id).values(**values))
