"""Deletes what has served its time, so that no table grows with what strangers start and never finish."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select

from ..store.database import Store
from ..store.tables.accounts import Link, Login, Notice, WebSession
from ..store.tables.usage import Account, Balance, Key, UsageDay
from . import audit, people, sessions, throttle

# How long notices, and links after their end, are kept: support may be asked about them.
KEEP = timedelta(days=7)
# An account whose address was not confirmed for so long, and that nothing used, is deleted.
UNCONFIRMED = timedelta(days=30)
# One transaction stays short.
ACCOUNTS_AT_ONCE = 100


def prune(store: Store, now: datetime, *, has_mail: bool) -> None:
    """Delete old notices, links, sessions and tries; and, where addresses can be confirmed, accounts
    that never were."""
    with store.write() as connection:
        connection.execute(delete(Notice).where(Notice.sent_at < now - KEEP))
        connection.execute(delete(Link).where(Link.expires_at < now - KEEP))
        connection.execute(delete(WebSession).where(sessions.is_over(now)))
    throttle.sweep(store, now)
    if has_mail:
        _delete_unconfirmed(store, now)


def _delete_unconfirmed(store: Store, now: datetime) -> None:
    never_used = (
        select(Login.account_id)
        .join(Account, Account.id == Login.account_id)
        .join(Balance, Balance.account_id == Login.account_id)
        .where(Login.verified_at.is_(None), Login.is_operator.is_(False), Account.created_at < now - UNCONFIRMED)
        .where(Account.plan_id.is_(None), Balance.paid_nanousd == 0)
        .where(~select(UsageDay.account_id).where(UsageDay.account_id == Account.id).exists())
        .where(~select(Key.id).where(Key.account_id == Account.id, Key.last_used_at > now - UNCONFIRMED).exists())
        .where(~select(WebSession.id).where(WebSession.account_id == Account.id).exists())
        .limit(ACCOUNTS_AT_ONCE)
        # The owner may confirm it at this moment.
        .with_for_update(of=Login)
    )
    with store.write() as connection:
        for account_id in connection.execute(never_used).scalars().all():
            people.erase(connection, account_id, now)
            detail = f"the address was not confirmed within {UNCONFIRMED.days} days, and nothing was used"
            audit.record(connection, audit.Act("llmrack", "account.deleted", account_id, detail), now)
