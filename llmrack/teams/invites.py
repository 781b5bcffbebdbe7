"""Links that make one person a member of a team. They work once, also where signing up is closed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, insert, select

from ..accounts import audit, tokens
from ..store import locks
from ..store.database import Store
from ..store.tables.teams import Invite
from ..store.tables.usage import Account
from . import roles, teams
from .teams import Refused

LIVES = timedelta(days=7)
# Open invites of one team.
MOST = 100


@dataclass(frozen=True)
class InviteFacts:
    """An invite that was not used yet. `email`, where it is given, is the only address that may use it."""

    id: int
    team_id: int
    team: str
    role: str
    email: str | None
    created_at: datetime
    expires_at: datetime


def make(
    store: Store, team_id: int, role: str, email: str | None, made_by: int, now: datetime, *, actor: str, giver: str
) -> str:
    """A new invite's token, in the name of a member of role `giver`. Raises Refused."""
    if not roles.may_give(giver, role):
        raise Refused("Only an owner invites owners.")
    token = tokens.make()
    row = {
        "token_sha256": tokens.digest(token),
        "team_id": team_id,
        "role": role,
        "email": email,
        "made_by": made_by,
        "created_at": now,
        "expires_at": now + LIVES,
    }
    with store.write() as connection:
        locks.hold(connection, f"team:{team_id}")
        connection.execute(delete(Invite).where(Invite.team_id == team_id, Invite.expires_at <= now))
        if connection.execute(select(func.count()).where(Invite.team_id == team_id)).scalar_one() >= MOST:
            raise Refused(f"{MOST} invites of this team are open. Take some back first.")
        connection.execute(insert(Invite).values(row))
        audit.record(connection, audit.Act(actor, "team.invite", team_id, f"{role}, {email or 'anybody'}"), now)
    return token


def peek(store: Store, token: str, now: datetime) -> InviteFacts | None:
    """What an invite is for; None when it was used, taken back, has expired or never was, or the team is disabled."""
    found = _select(store, Invite.token_sha256 == tokens.digest(token), now)
    return found[0] if found else None


def of_team(store: Store, team_id: int, now: datetime) -> list[InviteFacts]:
    """The invites that still work, the newest first."""
    return _select(store, Invite.team_id == team_id, now)[::-1]


def _select(store: Store, condition: ColumnElement[bool], now: datetime) -> list[InviteFacts]:
    statement = (
        select(
            Invite.id,
            Invite.team_id,
            Account.name,
            Invite.role,
            Invite.email,
            Invite.created_at,
            Invite.expires_at,
        )
        .join(Account, Account.id == Invite.team_id)
        .where(condition, Invite.expires_at > now, Account.disabled_at.is_(None))
        .order_by(Invite.id)
    )
    with store.read() as connection:
        return [InviteFacts(*row) for row in connection.execute(statement)]


def take_back(store: Store, team_id: int, invite_id: int, now: datetime, *, actor: str) -> bool:
    """End an invite that was not used; whether there was such a one."""
    with store.write() as connection:
        same = (Invite.id == invite_id, Invite.team_id == team_id)
        is_gone = connection.execute(delete(Invite).where(*same)).rowcount > 0
        if is_gone:
            audit.record(connection, audit.Act(actor, "team.invite.end", team_id, f"invite {invite_id}"), now)
    return is_gone


def accept(store: Store, token: str, person_id: int, email: str, now: datetime, *, actor: str) -> int | None:
    """Make the person a member, and return the team; None when the invite works no more.

    Of several who use it at the same time one gets in. Raises Refused for another address than the invite is for, and
    for a member.
    """
    with store.write() as connection:
        fits = (Invite.token_sha256 == tokens.digest(token), Invite.expires_at > now)
        columns = (Invite.team_id, Invite.role, Invite.email)
        row = connection.execute(delete(Invite).where(*fits).returning(*columns)).first()
        if row is None:
            return None
        if row.email is not None and row.email != email:
            raise Refused(f"This invite is for {row.email}. Sign in with that address.")
        teams.add(connection, row.team_id, person_id, row.role, now)
        audit.record(connection, audit.Act(actor, "team.join", row.team_id, f"person {person_id}, {row.role}"), now)
    return int(row.team_id)
