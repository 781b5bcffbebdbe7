"""Accounts, plans, credits and keys that a test only needs to be there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from llmrack.accounts import accounts
from llmrack.accounts.accounts import AccountFacts
from llmrack.billing import credits, subscriptions
from llmrack.keys import keys
from llmrack.keys.keys import Issued, KeyFacts, Restrictions
from llmrack.plans import Plan
from llmrack.store.database import Store

ACTOR = "tests"


def account(store: Store, name: str, now: datetime, plan: Plan | None = None) -> AccountFacts:
    return accounts.ensure(store, name, now, plan, actor=ACTOR)


def put_on(store: Store, name: str, plan: Plan) -> None:
    subscriptions.set_plan(store, accounts.find(store, name).id, plan, "set", ACTOR, datetime.now(UTC))


def credit(store: Store, name: str, amount_nanousd: int) -> None:
    credits.grant(store, accounts.find(store, name).id, amount_nanousd, "added", ACTOR, datetime.now(UTC))


def disable(store: Store, name: str, now: datetime) -> None:
    accounts.disable(store, accounts.find(store, name).id, "a test", now, actor=ACTOR)


def enable(store: Store, name: str) -> None:
    accounts.enable(store, accounts.find(store, name).id, datetime.now(UTC), actor=ACTOR)


def key(
    store: Store,
    *,
    name: str = "k",
    mode: str = "live",
    account: str | None = None,
    account_id: int | None = None,
    now: datetime | None = None,
    **more: Any,
) -> Issued:
    """A key of the account with this id or name, which is made when it is first needed; limits go by their names."""
    now = now or datetime.now(UTC)
    owner = account_id or accounts.ensure(store, account or accounts.LOCAL, now, actor=ACTOR).id
    limits = {name: more.pop(name) for name in ("requests_per_minute", "tokens_per_day") if name in more}
    if limits:
        more["restrictions"] = Restrictions(**limits)
    return keys.issue(store, owner, now, actor=ACTOR, name=name, mode=mode, most=None, **more)


def revoke(store: Store, which: str, now: datetime) -> KeyFacts:
    found = keys.find(store, which)
    return keys.revoke(store, found.account_id, found.id, now, actor=ACTOR)
