"""Who people are at identity providers: an identity is an issuer and a subject, and belongs to one account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, exc, insert, select, update

from ..sign_in import SignInProvider
from ..store.database import Store
from ..store.tables.accounts import Identity, Login
from ..store.tables.usage import Account
from . import audit, people
from .people import NO_PASSWORD, Person


class NoAdmission(Exception):
    """This identity opens no account; the message is for the person and says what to do."""


class LastWayIn(Exception):
    """Without this identity nothing would sign the person in any more."""


@dataclass(frozen=True)
class Arrival:
    """Who a provider says has come. `email` is one that it confirmed, or None; `groups` is None where none decide."""

    issuer: str
    subject: str
    email: str | None
    groups: frozenset[str] | None


@dataclass(frozen=True)
class IdentityFacts:
    """One connection of an account, as its owner sees it."""

    id: int
    provider_id: str
    issuer: str
    email: str | None
    created_at: datetime
    used_at: datetime


def admit(store: Store, row: SignInProvider, arrival: Arrival, now: datetime, *, is_open: bool) -> Person:
    """The account that this identity opens, found, linked or made as the provider's row allows. It may be disabled.

    `is_open` says whether strangers may sign up here. Raises NoAdmission.
    """
    email = _address(arrival)
    try:
        with store.write() as connection:
            account_id = _known(connection, row, arrival, now)
            if account_id is None:
                account_id = _by_address(connection, row, arrival, email, now)
            if account_id is None:
                account_id = _make(connection, row, arrival, email, now, is_open=is_open)
            _set_role(connection, row, arrival, account_id, now)
    except exc.IntegrityError:
        # Another request made the same account or identity at this moment.
        raise NoAdmission(f"Signing in with {row.label} met another sign-in. Try again.") from None
    return people.get(store, account_id)


def _address(arrival: Arrival) -> str | None:
    try:
        return people.address(arrival.email) if arrival.email else None
    except people.BadEmail:
        return None


def _known(connection: Connection, row: SignInProvider, arrival: Arrival, now: datetime) -> int | None:
    same = (Identity.issuer == arrival.issuer, Identity.subject == arrival.subject)
    statement = update(Identity).where(*same).values(used_at=now, provider_id=row.id).returning(Identity.account_id)
    found: int | None = connection.execute(statement).scalar()
    return found


def _by_address(
    connection: Connection, row: SignInProvider, arrival: Arrival, email: str | None, now: datetime
) -> int | None:
    """The account with the confirmed address, where the operator trusts this provider with addresses."""
    if email is None:
        return None
    statement = select(Account.id, Login.verified_at).join(Login, Login.account_id == Account.id)
    found = connection.execute(statement.where(Account.email == email)).first()
    if found is None:
        return None
    if not row.links_by_email:
        raise NoAdmission(
            f"An account with {email} exists. Sign in to it as before, then connect {row.label} in the settings."
        )
    _require_domain(row, email)
    if found.verified_at is None:
        # Another person may have made the account, to be let in by its owner: see people.claim.
        people.claim(connection, found.id, f"{row.label} confirmed the address first", now)
    _link(connection, row, arrival, found.id, email, now)
    return int(found.id)


def _make(
    connection: Connection, row: SignInProvider, arrival: Arrival, email: str | None, now: datetime, *, is_open: bool
) -> int:
    if not row.creates:
        raise NoAdmission(f"No account here is connected to this {row.label} account. Ask the operator for one.")
    if email is None:
        raise NoAdmission(
            f"{row.label} has not confirmed your e-mail address, so no account can be made. Confirm it there first."
        )
    _require_domain(row, email)
    if not row.domains and not is_open:
        raise NoAdmission("This server does not take sign-ups. Ask the person who runs it for an account.")
    account_id = people.make(connection, email, NO_PASSWORD, now, is_verified=True, actor=_actor(row))
    _link(connection, row, arrival, account_id, email, now)
    return account_id


def _require_domain(row: SignInProvider, email: str) -> None:
    if row.domains and email.rpartition("@")[2] not in row.domains:
        raise NoAdmission(f"{row.label} is for addresses of {', '.join(row.domains)} here, and yours is {email}.")


def _link(
    connection: Connection, row: SignInProvider, arrival: Arrival, account_id: int, email: str | None, now: datetime
) -> None:
    values = {
        "account_id": account_id,
        "provider_id": row.id,
        "issuer": arrival.issuer,
        "subject": arrival.subject,
        "email": email,
        "created_at": now,
        "used_at": now,
    }
    connection.execute(insert(Identity).values(values))
    audit.record(connection, audit.Act(_actor(row), "identity.link", account_id, f"{row.label}: {email or ''}"), now)


def _set_role(connection: Connection, row: SignInProvider, arrival: Arrival, account_id: int, now: datetime) -> None:
    """Make an operator of who is in the group, and of nobody else, where a group decides."""
    if not row.operators_group or arrival.groups is None:
        return
    is_operator = row.operators_group in arrival.groups
    was = connection.execute(select(Login.is_operator).where(Login.account_id == account_id)).scalar()
    if was is not None and was != is_operator:
        detail = f"group {row.operators_group}"
        people.write_operator(connection, account_id, is_operator, now, actor=_actor(row), detail=detail)


def _actor(row: SignInProvider) -> str:
    return f"provider:{row.id}"


def connect(store: Store, row: SignInProvider, arrival: Arrival, account_id: int, now: datetime) -> None:
    """Link an identity to the account that is signed in. Raises NoAdmission when it is another account's."""
    same = (Identity.issuer == arrival.issuer, Identity.subject == arrival.subject)
    with store.write() as connection:
        owner = connection.execute(select(Identity.account_id).where(*same)).scalar()
        if owner is None:
            _link(connection, row, arrival, account_id, _address(arrival), now)
        elif owner != account_id:
            raise NoAdmission(f"This {row.label} account is connected to another account here. Disconnect it there.")


def disconnect(store: Store, account_id: int, identity_id: int, now: datetime) -> bool:
    """Unlink one identity of this account; whether there was such a one. Raises LastWayIn."""
    mine = Identity.account_id == account_id
    with store.write() as connection:
        password = select(Login.password_hash).where(Login.account_id == account_id).with_for_update()
        has_password = connection.execute(password).scalar() != NO_PASSWORD
        ids = connection.execute(select(Identity.id).where(mine)).scalars().all()
        if identity_id not in ids:
            return False
        if len(ids) == 1 and not has_password:
            raise LastWayIn
        issuer = connection.execute(
            delete(Identity).where(mine, Identity.id == identity_id).returning(Identity.issuer)
        ).scalar()
        audit.record(connection, audit.Act(audit.OWNER, "identity.unlink", account_id, str(issuer)), now)
    return True


def list_all(store: Store, account_id: int) -> list[IdentityFacts]:
    """The identities of an account, the oldest first."""
    columns = (
        Identity.id, Identity.provider_id, Identity.issuer, Identity.email, Identity.created_at, Identity.used_at,
    )  # fmt: skip
    statement = select(*columns).where(Identity.account_id == account_id).order_by(Identity.id)
    with store.read() as connection:
        return [IdentityFacts(*row) for row in connection.execute(statement).all()]
