"""Browsers that are signed in: a row each, so that ending one holds from the next request on, on every worker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import aliased

from .. import plans
from ..store.database import Store
from ..store.tables.accounts import Login, WebSession
from ..store.tables.teams import Member, Team
from ..store.tables.usage import Account
from . import tokens

# A session ends after this long without a request, and after this long in any case.
IDLE = timedelta(days=14)
LONGEST = timedelta(days=60)
# So many browsers of one account are signed in; one more ends the oldest.
MOST = 50
# How exactly `seen_at` is kept: a write per page view would be a waste.
SEEN_EVERY = timedelta(minutes=5)
# For how long a password counts as "just typed" before the most sensitive actions ask again.
FRESH = timedelta(minutes=10)


@dataclass(frozen=True)
class Viewer:
    """Who looks at a page. `session_id` is the row of this browser's session.

    `account_id` is the account whose pages these are: `person_id`, which the person signs in to, or a team of theirs,
    which is then named with the person's role in it.
    """

    account_id: int
    person_id: int
    session_id: int
    email: str
    name: str | None
    plan_id: str | None
    is_verified: bool
    is_operator: bool
    has_second_factor: bool
    wants_budget_mail: bool
    proved_at: datetime
    created_at: datetime
    team: str | None = None
    role: str | None = None
    needs_second_factor: bool = False

    def is_fresh(self, now: datetime) -> bool:
        """Whether the password was typed a moment ago."""
        return now - self.proved_at < FRESH


@dataclass(frozen=True)
class SessionFacts:
    """One open session, as its owner sees it."""

    id: int
    agent: str
    address: str
    created_at: datetime
    seen_at: datetime


def start(store: Store, account_id: int, now: datetime, agent: str = "", address: str = "") -> str:
    """A new session; its token is for the cookie and kept nowhere."""
    token = tokens.make()
    row = {
        "token_sha256": tokens.digest(token),
        "account_id": account_id,
        "created_at": now,
        "seen_at": now,
        "proved_at": now,
        "agent": agent[:200],
        "address": address[:64],
    }
    with store.write() as connection:
        connection.execute(delete(WebSession).where(WebSession.account_id == account_id, is_over(now)))
        connection.execute(insert(WebSession).values(row))
        mine = WebSession.account_id == account_id
        newest = select(WebSession.id).where(mine).order_by(WebSession.id.desc()).limit(MOST)
        connection.execute(delete(WebSession).where(mine, WebSession.id.not_in(newest.scalar_subquery())))
    return token


def is_over(now: datetime) -> Any:
    """The condition that a session has ended."""
    return (WebSession.seen_at <= now - IDLE) | (WebSession.created_at <= now - LONGEST)


# The account whose pages are shown, which a person must be a member of at this very moment if it is a team.
_Shown = aliased(Account)
_COLUMNS = (
    WebSession.id,
    WebSession.account_id,
    WebSession.seen_at,
    WebSession.proved_at,
    Account.email,
    _Shown.id.label("shown_id"),
    _Shown.name.label("shown"),
    _Shown.plan_id,
    _Shown.plan_ends_at,
    _Shown.next_plan_id,
    Member.role,
    Team.requires_second_factor,
    Account.created_at,
    Login.display_name,
    Login.verified_at,
    Login.is_operator,
    Login.totp_confirmed_at,
    Login.wants_budget_mail,
)


def find(store: Store, token: str, now: datetime) -> Viewer | None:
    """Whose token this is; None when its session has ended or its account is disabled."""
    statement = (
        select(*_COLUMNS)
        .join(Account, Account.id == WebSession.account_id)
        .join(Login, Login.account_id == WebSession.account_id)
        .outerjoin(
            Member,
            (Member.team_id == WebSession.team_id)
            & (Member.person_id == WebSession.account_id)
            & Member.team_id.not_in(select(Account.id).where(Account.disabled_at.is_not(None))),
        )
        .outerjoin(Team, Team.account_id == Member.team_id)
        .join(_Shown, _Shown.id == func.coalesce(Member.team_id, WebSession.account_id))
        .where(WebSession.token_sha256 == tokens.digest(token), ~is_over(now), Account.disabled_at.is_(None))
    )
    with store.read() as connection:
        row = connection.execute(statement).first()
    if row is None:
        return None
    if now - row.seen_at >= SEEN_EVERY:
        _change(store, row.id, seen_at=now)
    return Viewer(
        account_id=row.shown_id,
        person_id=row.account_id,
        session_id=row.id,
        email=row.email or "",
        name=row.display_name,
        plan_id=plans.current_id(row.plan_id, row.plan_ends_at, row.next_plan_id, now),
        is_verified=row.verified_at is not None,
        is_operator=row.is_operator,
        has_second_factor=row.totp_confirmed_at is not None,
        wants_budget_mail=row.wants_budget_mail,
        proved_at=row.proved_at,
        created_at=row.created_at,
        team=row.shown if row.role else None,
        role=row.role,
        needs_second_factor=bool(row.requires_second_factor) and row.totp_confirmed_at is None,
    )


def prove(store: Store, session_id: int, now: datetime) -> None:
    """Note that the password was just typed in this session."""
    _change(store, session_id, proved_at=now)


def _change(store: Store, session_id: int, **values: object) -> None:
    with store.write() as connection:
        connection.execute(update(WebSession).where(WebSession.id == session_id).values(**values))


def list_all(store: Store, account_id: int, now: datetime) -> list[SessionFacts]:
    """The open sessions of an account, the last used first."""
    columns = (WebSession.id, WebSession.agent, WebSession.address, WebSession.created_at, WebSession.seen_at)
    statement = select(*columns).where(WebSession.account_id == account_id, ~is_over(now))
    with store.read() as connection:
        rows = connection.execute(statement.order_by(WebSession.seen_at.desc(), WebSession.id.desc())).all()
    return [SessionFacts(*row) for row in rows]


def end(store: Store, account_id: int, session_id: int) -> bool:
    """End one session of this account; whether there was such a one."""
    with store.write() as connection:
        statement = delete(WebSession).where(WebSession.id == session_id, WebSession.account_id == account_id)
        return connection.execute(statement).rowcount > 0


def end_all(store: Store, account_id: int, but: int | None = None) -> int:
    """End every session of an account, except `but`; how many."""
    condition = WebSession.account_id == account_id
    if but is not None:
        condition &= WebSession.id != but
    with store.write() as connection:
        return connection.execute(delete(WebSession).where(condition)).rowcount
