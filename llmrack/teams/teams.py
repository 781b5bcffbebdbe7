"""Teams and their members. A team is an account; each of its members signs in to an account of their own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, exc, func, insert, literal, select, update

from ..accounts import audit
from ..store import locks
from ..store.database import Store
from ..store.tables.accounts import Login, WebSession
from ..store.tables.base import UtcTime
from ..store.tables.teams import Member, Team
from ..store.tables.usage import Account, Balance, Key
from . import caps as team_caps
from . import roles
from .caps import Caps

# What one person can make, and how large a team gets: far above what people need, so that no list grows without end.
MOST_TEAMS = 20
MOST_MEMBERS = 1000


class NoSuchTeam(LookupError):
    """No team fits, or the person is no member of it."""


class Refused(ValueError):
    """A change that a team does not allow; the message says why, as the person reads it."""


@dataclass(frozen=True)
class Membership:
    """A person's part in one team."""

    team_id: int
    team: str
    role: str
    members: int


@dataclass(frozen=True)
class TeamFacts:
    """One team, as stored. `models` are the ids its keys may use; None allows every one."""

    id: int
    name: str
    models: tuple[str, ...] | None
    requires_second_factor: bool
    created_at: datetime


@dataclass(frozen=True)
class MemberFacts:
    """One member. `keys` counts those that work."""

    person_id: int
    email: str
    name: str | None
    role: str
    joined_at: datetime
    has_second_factor: bool
    is_disabled: bool
    keys: int
    caps: Caps


def create(store: Store, name: str, owner_id: int, now: datetime, *, actor: str) -> int:
    """A new team's id. It has the default plan. Raises Refused for a name that is taken or looks like an address."""
    _check_name(name)
    try:
        with store.write() as connection:
            locks.hold(connection, f"teams:{owner_id}")
            owned = select(func.count()).where(Member.person_id == owner_id, Member.role == roles.OWNER)
            if connection.execute(owned).scalar_one() >= MOST_TEAMS:
                raise Refused(f"One person owns at most {MOST_TEAMS} teams.")
            row = {"name": name, "created_at": now}
            team_id = int(connection.execute(insert(Account).values(row).returning(Account.id)).scalar_one())
            connection.execute(insert(Balance).values(account_id=team_id))
            connection.execute(insert(Team).values(account_id=team_id, created_at=now))
            add(connection, team_id, owner_id, roles.OWNER, now)
            audit.record(connection, audit.Act(actor, "team.create", team_id, name), now)
    except exc.IntegrityError as error:
        raise Refused("This name is taken.") from error
    return team_id


def _check_name(name: str) -> None:
    if "@" in name:
        raise Refused("A team's name has no @: it would be taken for a person's address.")


def add(connection: Connection, team_id: int, person_id: int, role: str, now: datetime) -> None:
    """Make a person a member, in the transaction of what led to it. Raises Refused for one who is a member already."""
    locks.hold(connection, f"team:{team_id}")
    members = connection.execute(select(Member.person_id).where(Member.team_id == team_id)).scalars().all()
    if person_id in members:
        raise Refused("You are a member of this team already.")
    if len(members) >= MOST_MEMBERS:
        raise Refused(f"A team has at most {MOST_MEMBERS:,} members.")
    row = {"team_id": team_id, "person_id": person_id, "role": role, "joined_at": now}
    connection.execute(insert(Member).values(row))


def get(store: Store, team_id: int) -> TeamFacts:
    """Raises NoSuchTeam."""
    columns = (Team.account_id, Account.name, Team.models, Team.requires_second_factor, Team.created_at)
    statement = select(*columns).join(Account, Account.id == Team.account_id).where(Team.account_id == team_id)
    with store.read() as connection:
        row = connection.execute(statement).first()
    if row is None:
        raise NoSuchTeam(f"There is no team {team_id}.")
    id_, name, models, requires, created_at = row
    return TeamFacts(id_, name, None if models is None else tuple(models.split(",")), requires, created_at)


def of_person(store: Store, person_id: int) -> list[Membership]:
    """The teams of a person, by name; those that an operator disabled are left out."""
    count = select(func.count()).where(Member.team_id == Account.id).correlate(Account).scalar_subquery()
    statement = (
        select(Member.team_id, Account.name, Member.role, count)
        .join(Account, Account.id == Member.team_id)
        .where(Member.person_id == person_id, Account.disabled_at.is_(None))
        .order_by(func.lower(Account.name))
    )
    with store.read() as connection:
        return [Membership(*row) for row in connection.execute(statement)]


def members(store: Store, team_id: int, now: datetime) -> list[MemberFacts]:
    """The members of a team, who joined first first."""
    return _members(store, Member.team_id == team_id, now)


def _members(store: Store, condition: ColumnElement[bool], now: datetime) -> list[MemberFacts]:
    works = Key.revoked_at.is_(None) & (Key.expires_at.is_(None) | (Key.expires_at > now))
    keys = select(func.count()).where(Key.account_id == Member.team_id, Key.member_id == Member.person_id, works)
    statement = (
        select(
            Member.__table__,
            Account.email,
            Account.disabled_at,
            Login.display_name,
            Login.totp_confirmed_at,
            keys.correlate(Member).scalar_subquery().label("keys"),
        )
        .join(Account, Account.id == Member.person_id)
        .outerjoin(Login, Login.account_id == Member.person_id)
        .where(condition)
        .order_by(Member.joined_at, Member.person_id)
    )
    with store.read() as connection:
        rows = connection.execute(statement).all()
    return [
        MemberFacts(
            person_id=row.person_id,
            email=row.email or "",
            name=row.display_name,
            role=row.role,
            joined_at=row.joined_at,
            has_second_factor=row.totp_confirmed_at is not None,
            is_disabled=row.disabled_at is not None,
            keys=row.keys,
            caps=team_caps.of_row(row),
        )
        for row in rows
    ]


def member(store: Store, team_id: int, person_id: int, now: datetime) -> MemberFacts:
    """Raises NoSuchTeam for a person who is no member."""
    found = _members(store, (Member.team_id == team_id) & (Member.person_id == person_id), now)
    if not found:
        raise NoSuchTeam(f"{person_id} is no member of team {team_id}.")
    return found[0]


def set_role(store: Store, team_id: int, person_id: int, role: str, now: datetime, *, actor: str, giver: str) -> None:
    """Give a member another role, in the name of a member of role `giver`. Raises Refused, NoSuchTeam."""
    with store.write() as connection:
        old = _role(connection, team_id, person_id)
        if not (roles.may_give(giver, role) and roles.may_give(giver, old)):
            raise Refused("Only an owner makes owners, and changes what an owner is.")
        if old == roles.OWNER != role:
            _require_another_owner(connection, team_id, person_id)
        same = (Member.team_id == team_id, Member.person_id == person_id)
        connection.execute(update(Member).where(*same).values(role=role))
        if "keys" not in roles.ROLES[role].rights:
            _end_keys(connection, team_id, person_id, now, "The member's role has no keys any more.")
        audit.record(connection, audit.Act(actor, "team.role", team_id, f"person {person_id}: {old} to {role}"), now)


def set_caps(store: Store, team_id: int, person_id: int, caps: Caps, now: datetime, *, actor: str) -> None:
    """Bound what a member's keys use together. Raises NoSuchTeam."""
    with store.write() as connection:
        _role(connection, team_id, person_id)
        same = (Member.team_id == team_id, Member.person_id == person_id)
        connection.execute(update(Member).where(*same).values(**vars(caps)))
        audit.record(connection, audit.Act(actor, "team.caps", team_id, f"person {person_id}: {_written(caps)}"), now)


def remove(store: Store, team_id: int, person_id: int, now: datetime, *, actor: str, giver: str | None = None) -> None:
    """Take a member out: their keys of the team are refused from the next request on, what was used stays.

    `giver` is the role of who does it; None is the member. Raises Refused for the last owner, NoSuchTeam.
    """
    with store.write() as connection:
        role = _role(connection, team_id, person_id)
        if giver is not None and not roles.may_give(giver, role):
            raise Refused("Only an owner takes out an owner.")
        if role == roles.OWNER:
            _require_another_owner(connection, team_id, person_id)
        _end_keys(connection, team_id, person_id, now, "The member who made it left the team.")
        connection.execute(delete(Member).where(Member.team_id == team_id, Member.person_id == person_id))
        looks = (WebSession.account_id == person_id, WebSession.team_id == team_id)
        connection.execute(update(WebSession).where(*looks).values(team_id=None))
        audit.record(connection, audit.Act(actor, "team.remove", team_id, f"person {person_id}, {role}"), now)


def change(
    store: Store,
    team_id: int,
    now: datetime,
    *,
    actor: str,
    name: str,
    models: tuple[str, ...] | None,
    requires_second_factor: bool,
) -> None:
    """Another name, other models, another demand on its members. Raises Refused for a name that is taken."""
    _check_name(name)
    values = {"models": None if models is None else ",".join(models), "requires_second_factor": requires_second_factor}
    try:
        with store.write() as connection:
            connection.execute(update(Account).where(Account.id == team_id).values(name=name))
            connection.execute(update(Team).where(Team.account_id == team_id).values(values))
            detail = f"{name}; models: {values['models'] or 'all'}; second factor: {requires_second_factor}"
            audit.record(connection, audit.Act(actor, "team.change", team_id, detail), now)
    except exc.IntegrityError as error:
        raise Refused("This name is taken.") from error


def owned_alone(store: Store, person_id: int) -> list[str]:
    """The names of the teams whose only owner this person is, who cannot leave before somebody else owns them."""
    others = (
        select(func.count())
        .select_from(other := Member.__table__.alias())
        .where(other.c.team_id == Member.team_id, other.c.role == roles.OWNER, other.c.person_id != person_id)
        .correlate(Member)
    )
    statement = (
        select(Account.name)
        .join(Member, Member.team_id == Account.id)
        .where(Member.person_id == person_id, Member.role == roles.OWNER, others.scalar_subquery() == 0)
        .order_by(Account.name)
    )
    with store.read() as connection:
        return list(connection.execute(statement).scalars())


def look_at(store: Store, session_id: int, team_id: int | None) -> None:
    """Let a browser show a team's pages, or the person's own. Who may is asked each time a page is shown."""
    with store.write() as connection:
        connection.execute(update(WebSession).where(WebSession.id == session_id).values(team_id=team_id))


def _role(connection: Connection, team_id: int, person_id: int) -> str:
    locks.hold(connection, f"team:{team_id}")
    same = (Member.team_id == team_id, Member.person_id == person_id)
    role = connection.execute(select(Member.role).where(*same)).scalar()
    if role is None:
        raise NoSuchTeam(f"{person_id} is no member of team {team_id}.")
    return str(role)


def _require_another_owner(connection: Connection, team_id: int, person_id: int) -> None:
    others = (Member.team_id == team_id, Member.role == roles.OWNER, Member.person_id != person_id)
    if not connection.execute(select(func.count()).where(*others)).scalar_one():
        raise Refused("A team has at least one owner. Make another member an owner first.")


def _end_keys(connection: Connection, team_id: int, person_id: int, now: datetime, reason: str) -> None:
    mine = (Key.account_id == team_id, Key.member_id == person_id, Key.revoked_at.is_(None))
    connection.execute(update(Key).where(*mine).values(revoked_at=literal(now, UtcTime), revoked_reason=reason))


def _written(caps: Caps) -> str:
    return ", ".join(f"{name} {value}" for name, value in vars(caps).items() if value is not None) or "no caps"
