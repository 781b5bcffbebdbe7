"""Who is behind an API key: looked up by hash on every request, from memory until the database changes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import aliased

from .. import permissions as rights
from ..errors import ApiError, AuthenticationFailed, PermissionRefused
from ..plans import Plan, Plans
from ..store.database import PreparedStatement, Store
from ..store.tables.base import from_microseconds, microseconds
from ..store.tables.teams import Member, Project, Team
from ..store.tables.usage import Account, Key
from . import key_format, networks


@dataclass(frozen=True)
class KnownKey:
    """A key that exists and is not accepted now."""

    account_id: int
    key_id: int
    mode: str


@dataclass(frozen=True)
class Cap:
    """What all keys of one member ("member") or of one project ("project") of a team may use together.

    None sets no limit; `name` is the project's.
    """

    scope: str
    id: int
    name: str
    requests_per_minute: int | None
    concurrent_requests: int | None
    tokens_per_day: int | None
    nanousd_per_month: int | None


@dataclass(frozen=True)
class Caller:
    """Whose request this is.

    Limits are the key's own: None leaves it to the plan. `models` are those that the key, its project and its team
    allow alike, None every model. `uses_credits` and `account_nanousd_per_month` are the account's word on its credits:
    whether they pay beyond the daily budget, and how much in a month. `caps` are of a team's member and project.
    """

    account_id: int
    key_id: int
    key_name: str
    mode: str
    plan: Plan
    permissions: frozenset[str]
    requests_per_minute: int | None = None
    tokens_per_day: int | None = None
    nanousd_per_month: int | None = None
    models: frozenset[str] | None = None
    uses_credits: bool = False
    account_nanousd_per_month: int | None = None
    caps: tuple[Cap, ...] = ()

    @property
    def is_live(self) -> bool:
        return self.mode == "live"

    @property
    def plan_requests_per_minute(self) -> int:
        """Live and test keys of an account have limits of their own, so that tests never cost a live request."""
        return self.plan.requests_per_minute if self.is_live else self.plan.test_requests_per_minute

    @property
    def concurrent_requests(self) -> int:
        return self.plan.concurrent_requests if self.is_live else self.plan.test_concurrent_requests


CAPS = ("requests_per_minute", "concurrent_requests", "tokens_per_day", "nanousd_per_month")
_Person = aliased(Account)
_RESOLVE = PreparedStatement(
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
        Key.nanousd_per_month,
        Key.models,
        Key.addresses,
        Key.paused_at,
        Account.plan_id,
        Account.plan_ends_at,
        Account.next_plan_id,
        Account.uses_credits,
        Account.nanousd_per_month,
        Account.disabled_at,
        Team.models,
        Key.member_id,
        _Person.disabled_at,
        *(getattr(Member, name) for name in CAPS),
        Key.project_id,
        Project.name,
        Project.models,
        Project.archived_at,
        *(getattr(Project, name) for name in CAPS),
    )
    .join(Account, Account.id == Key.account_id)
    .outerjoin(Team, Team.account_id == Key.account_id)
    .outerjoin(Member, (Member.team_id == Key.account_id) & (Member.person_id == Key.member_id))
    .outerjoin(_Person, _Person.id == Key.member_id)
    .outerjoin(Project, Project.id == Key.project_id)
    .where(Key.secret_sha256 == bindparam("secret_sha256"))
)


def resolve(store: Store, plans: Plans, secret: str | None, now: datetime, address: str | None = None) -> Caller:
    """Who sent `secret` from `address`; None means that the request had none.

    Raises AuthenticationFailed with a sentence of its own for a missing, malformed, unknown, revoked, expired and
    paused key and for a disabled account, PermissionRefused for an address that the key is not for. A revocation
    holds from the next request on; one made by another process within `store.db.RECALL_S`.
    """
    return resolve_digest(store, plans, key_format.check(secret), now, address)


def resolve_own(
    store: Store,
    plans: Plans,
    account_id: int,
    key_id: int,
    now: datetime,
    address: str | None,
    member_id: int | None = None,
) -> Caller:
    """Use of a key by its owner, who is signed in and names it by its id: of a team by the member who made it.

    Raises as `resolve` does.
    """
    with store.read() as connection:
        mine = (Key.account_id == account_id, Key.member_id.is_not_distinct_from(member_id))
        statement = select(Key.secret_sha256).where(Key.id == key_id, *mine)
        digest = connection.execute(statement).scalar_one_or_none()
    return resolve_digest(store, plans, digest or "", now, address)


def resolve_digest(store: Store, plans: Plans, digest: str, now: datetime, address: str | None) -> Caller:
    """`resolve` for a key whose hash is known."""
    row = store.recall(_RESOLVE, "secret_sha256", digest)
    if row is None:
        raise AuthenticationFailed("There is no such API key. Check which server it belongs to, or generate a new one.")
    try:
        _require_usable(row, now, address)
    except ApiError as error:
        error.key = KnownKey(row[0], row[1], row[3])
        raise
    _, plan_id, plan_ends_at, next_plan_id, *_ = row[12:]
    return _caller(tuple(row), plans.in_force(plan_id, plan_ends_at, next_plan_id, microseconds(now)))


def _require_usable(row: Sequence[Any], now: datetime, address: str | None) -> None:
    """Raises as `resolve` does."""
    _, _, _, _, _, revoked_at, expires_at, _, _, _, _, addresses, *rest = row
    paused_at, _, _, _, _, _, disabled_at, _, _, person_disabled_at, *rest = rest
    archived_at = rest[len(CAPS) + 3]
    if revoked_at is not None:
        raise AuthenticationFailed(f"This API key was revoked on {_date(revoked_at)}. Generate a new key.")
    if expires_at is not None and expires_at <= microseconds(now):
        raise AuthenticationFailed(f"This API key expired on {_date(expires_at)}. Generate a new key.")
    if disabled_at is not None:
        raise AuthenticationFailed("The account of this API key is disabled.", code="account_disabled")
    if person_disabled_at is not None:
        raise AuthenticationFailed("The person who made this API key is disabled.", code="account_disabled")
    if archived_at is not None:
        raise AuthenticationFailed("The project of this API key is closed. Use a key of another one.")
    if paused_at is not None:
        raise AuthenticationFailed(
            "This API key is paused. Its owner can resume it: Dashboard → API keys.", code="key_paused"
        )
    if addresses is not None and not networks.holds(addresses, address):
        raise PermissionRefused(
            f"This API key is not for use from {address or 'an unknown address'}. "
            "Its owner can change that: Dashboard → API keys.",
            code="address_not_allowed",
        )


@functools.lru_cache(maxsize=4096)
def _caller(row: tuple[Any, ...], plan: Plan) -> Caller:
    """The same row is the same caller: making it anew for each request costs as much as finding the row."""
    account_id, key_id, name, mode, granted, _, _, per_minute, per_day, per_month, models, *rest = row
    _, _, _, _, _, uses_credits, account_per_month, _, team_models, member_id, _, *rest = rest
    member_caps, (project_id, project_name, project_models, _, *project_caps) = rest[: len(CAPS)], rest[len(CAPS) :]
    return Caller(
        account_id=account_id,
        key_id=key_id,
        key_name=name,
        mode=mode,
        plan=plan,
        permissions=_expanded(granted),
        requests_per_minute=per_minute,
        tokens_per_day=per_day,
        nanousd_per_month=per_month,
        models=_narrowed(team_models, project_models, models),
        uses_credits=bool(uses_credits),
        account_nanousd_per_month=account_per_month,
        caps=(*_caps("member", member_id, "", member_caps), *_caps("project", project_id, project_name, project_caps)),
    )


def _narrowed(*lists: str | None) -> frozenset[str] | None:
    """The models that every list allows; None when there is no list."""
    sets = [frozenset(ids.split(",")) for ids in lists if ids is not None]
    return frozenset.intersection(*sets) if sets else None


def _caps(scope: str, id: int | None, name: str, values: Sequence[int | None]) -> tuple[Cap, ...]:
    """None where no limit is set, so that such a key costs no query more than one without a team."""
    return () if id is None or all(value is None for value in values) else (Cap(scope, id, name, *values),)


def _date(stored: int) -> str:
    return from_microseconds(stored).date().isoformat()


def _expanded(granted: str) -> frozenset[str]:
    """Rights that this version does not know any more are ignored."""
    names = granted.split(",")
    return rights.NAMES if rights.ALL in names else rights.NAMES.intersection(names)
