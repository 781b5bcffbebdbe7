"""Which plan an account has, from when and until when: decided by what it pays for, or by the operator.

Upgrades hold at once, downgrades when the paid period ends. A failed payment leaves seven days, then the default plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from ..accounts import audit
from ..clients.provider import SubscriptionState
from ..plans import Plan, Plans, current_id
from ..store.database import Store
from ..store.tables.billing import PlanChange, Subscription
from ..store.tables.usage import Account

GRACE = timedelta(days=7)
LIVE = frozenset({"active", "trialing", "past_due", "unpaid"})
PAID = "paid"
_IN_ORDER = frozenset({"active", "trialing"})
_FAILED = frozenset({"past_due", "unpaid"})
_ENDED = frozenset({"canceled", "paused"})


class Stale(Exception):
    """The subscription has changed since it was read: read again and decide again."""


@dataclass(frozen=True)
class Known:
    """A subscription as our row has it."""

    provider_id: str
    status: str
    plan_id: str
    price_id: str
    period_start_at: datetime
    period_end_at: datetime
    ends_with_period: bool
    then_plan_id: str | None
    failed_at: datetime | None
    version: int
    synced_at: datetime

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    def is_overdue(self, now: datetime) -> bool:
        """Whether its period has ended without word from the provider."""
        return self.is_live and self.synced_at < self.period_end_at < now


@dataclass(frozen=True)
class PlanPeriod:
    """An account's plan with its dates, as `Plans.in_force` reads it."""

    plan_id: str | None
    ends_at: datetime | None = None
    next_plan_id: str | None = None


@dataclass(frozen=True)
class Decision:
    """What a subscription amounts to: the tenure it gives, the plan of its period, and since when it is unpaid."""

    tenure: PlanPeriod
    plan_id: str
    failed_at: datetime | None
    why: str


@dataclass(frozen=True)
class ChangeFacts:
    """One decision about a plan."""

    plan_id: str | None
    starts_at: datetime
    reason: str
    actor: str
    created_at: datetime


def decide(known: Known | None, seen: SubscriptionState, priced: Plan, plans: Plans, now: datetime) -> Decision | None:
    """What to make of a subscription to `priced`, given our row of it; None when it grants and takes nothing yet."""
    in_force = _in_force(known, seen, priced, plans)
    if seen.status in _FAILED:
        failed_at = (known.failed_at if known else None) or now
        return Decision(PlanPeriod(in_force.id, failed_at + GRACE), in_force.id, failed_at, "the payment failed")
    if seen.status in _ENDED:
        if known is None or known.status in _ENDED:
            return None
        if known.failed_at and seen.ended_unpaid and now < known.failed_at + GRACE:
            tenure = PlanPeriod(in_force.id, known.failed_at + GRACE)
            return Decision(tenure, in_force.id, known.failed_at, "the payment failed")
        return Decision(PlanPeriod(known.then_plan_id), in_force.id, None, "the subscription ended")
    if seen.status not in _IN_ORDER:
        return None
    if seen.ends_with_period:
        tenure = PlanPeriod(in_force.id, seen.period_end_at, known.then_plan_id if known else None)
        return Decision(tenure, in_force.id, None, "cancelled for the period's end")
    if in_force is not priced:
        tenure = PlanPeriod(in_force.id, seen.period_end_at, priced.id)
        return Decision(tenure, in_force.id, None, "downgraded for the period's end")
    # Should we never hear of the next period, the plan ends like an unpaid one.
    return Decision(PlanPeriod(priced.id, seen.period_end_at + GRACE), priced.id, None, PAID)


def _in_force(known: Known | None, seen: SubscriptionState, priced: Plan, plans: Plans) -> Plan:
    """The dearer plan lasts as long as the period it was paid for; a dearer one that is not paid yet does not begin."""
    before = plans.get(known.plan_id) if known else None
    if known is None or before is None:
        return priced
    is_same_period = seen.period_end_at == known.period_end_at
    if before.monthly_nanousd > priced.monthly_nanousd and is_same_period:
        return before
    if before.monthly_nanousd < priced.monthly_nanousd and seen.status in _FAILED:
        return before
    return priced


def known(store: Store, account_id: int) -> Known | None:
    with store.read() as connection:
        return read(connection, account_id)


def read(connection: Connection, account_id: int) -> Known | None:
    columns = [Subscription.__table__.c[name] for name in Known.__dataclass_fields__]
    row = connection.execute(select(*columns).where(Subscription.account_id == account_id)).first()
    return Known(*row) if row else None


def apply(
    connection: Connection,
    account_id: int,
    known: Known | None,
    seen: SubscriptionState,
    verdict: Decision,
    now: datetime,
) -> None:
    """Store a verdict, in the caller's transaction. Raises Stale when the row is not `known` any more."""
    row: dict[str, Any] = {
        "provider_id": seen.id,
        "status": seen.status,
        "plan_id": verdict.plan_id,
        "price_id": seen.price_id,
        "period_start_at": seen.period_start_at,
        "period_end_at": seen.period_end_at,
        "ends_with_period": seen.ends_with_period,
        "then_plan_id": known.then_plan_id if known and known.provider_id == seen.id else None,
        "failed_at": verdict.failed_at,
        "version": known.version + 1 if known else 0,
        "synced_at": now,
    }
    if known is None:
        if read(connection, account_id) is not None:
            raise Stale
        connection.execute(insert(Subscription).values(account_id=account_id, **row))
    else:
        same = (Subscription.account_id == account_id, Subscription.version == known.version)
        if not connection.execute(update(Subscription).where(*same).values(row)).rowcount:
            raise Stale
    move(connection, account_id, verdict.tenure, verdict.why, "payments", now)


def tenure(connection: Connection, account_id: int) -> PlanPeriod:
    columns = (Account.plan_id, Account.plan_ends_at, Account.next_plan_id)
    return PlanPeriod(*connection.execute(select(*columns).where(Account.id == account_id)).one())


def move(connection: Connection, account_id: int, new: PlanPeriod, reason: str, actor: str, now: datetime) -> None:
    """Give an account a tenure and note what changes, now or later. A renewal of the same plan is not a change."""
    old = tenure(connection, account_id)
    if new == old:
        return
    values = {"plan_id": new.plan_id, "plan_ends_at": new.ends_at, "next_plan_id": new.next_plan_id}
    connection.execute(update(Account).where(Account.id == account_id).values(values))
    current = current_id(old.plan_id, old.ends_at, old.next_plan_id, now)
    changes: list[tuple[str | None, datetime]] = []
    is_dated = new.ends_at is not None and reason != PAID
    if current != new.plan_id or (not is_dated and _is_awaited(connection, account_id, now)):
        changes.append((new.plan_id, now))
    if new.ends_at is not None and is_dated:
        changes.append((new.next_plan_id, new.ends_at))
    for plan_id, starts_at in changes:
        row = {"account_id": account_id, "plan_id": plan_id, "starts_at": starts_at, "reason": reason[:500]}
        connection.execute(insert(PlanChange).values(**row, actor=actor[:254], created_at=now))


def _is_awaited(connection: Connection, account_id: int, now: datetime) -> bool:
    """Whether the last decision speaks of a time to come, and so needs another one to end it."""
    newest = select(PlanChange.starts_at).where(PlanChange.account_id == account_id).order_by(PlanChange.id.desc())
    starts_at = connection.execute(newest.limit(1)).scalar()
    return starts_at is not None and starts_at > now


def set_plan(
    store: Store, account_id: int, plan: Plan, reason: str, actor: str, now: datetime, until: datetime | None = None
) -> None:
    """Put an account on `plan` from its next request on, by the operator's word; `until` ends it with the default."""
    with store.write() as connection:
        move(connection, account_id, PlanPeriod(plan.id, until), reason, actor, now)
        detail = f"{plan.name}{f' until {until:%Y-%m-%d %H:%M} UTC' if until else ''}: {reason}"
        audit.record(connection, audit.Act(actor, "plan.set", account_id, detail), now)


def choose_free(store: Store, account_id: int, plan: Plan, now: datetime) -> None:
    """Move an account that subscribes to nothing to a plan without a monthly price, by its owner's word."""
    if plan.monthly_nanousd:
        raise ValueError(f"{plan.name} has a monthly price.")
    with store.write() as connection:
        move(connection, account_id, PlanPeriod(plan.id), "chosen", "owner", now)


def set_then(store: Store, account_id: int, plan: Plan | None) -> None:
    """Note what an account wants after its subscription has ended; None is the default plan."""
    values = {"then_plan_id": plan.id if plan else None, "version": Subscription.version + 1}
    with store.write() as connection:
        connection.execute(update(Subscription).where(Subscription.account_id == account_id).values(values))


def history(store: Store, account_id: int, limit: int = 50) -> list[ChangeFacts]:
    """The decisions about an account's plan, the newest first."""
    columns = [PlanChange.__table__.c[name] for name in ChangeFacts.__dataclass_fields__]
    statement = select(*columns).where(PlanChange.account_id == account_id).order_by(PlanChange.id.desc()).limit(limit)
    with store.read() as connection:
        return [ChangeFacts(*row) for row in connection.execute(statement)]
