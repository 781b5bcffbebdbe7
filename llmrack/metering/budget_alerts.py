"""Mails that go out by themselves: when most of a day's budget is used, and when all of it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, cast, exc, func, insert, select

from ..plans import Plans
from ..store.database import Store
from ..store.tables.accounts import Login, Notice
from ..store.tables.usage import Account, UsageDay

# Shares of the daily budget, in percent, the largest first: an account that jumps over one is told the larger only.
PERCENTS = (100, 80)


@dataclass(frozen=True)
class BudgetNotice:
    """One mail to be sent: so many of `limit` tokens of `day` are used."""

    account_id: int
    email: str
    percent: int
    used: int
    limit: int
    day: str


def due(store: Store, plans: Plans, now: datetime) -> list[BudgetNotice]:
    """The mails that are due and were not sent yet; from here on they count as sent."""
    return [notice for notice in _crossed(store, plans, now) if _claim(store, notice, now)]


def _crossed(store: Store, plans: Plans, now: datetime) -> list[BudgetNotice]:
    day = now.date().isoformat()
    used = cast(func.sum(UsageDay.prompt_tokens + UsageDay.completion_tokens), BigInteger)
    people = (Account.id, Account.email, Account.plan_id, Account.plan_ends_at, Account.next_plan_id)
    statement = (
        select(*people, used)
        .join(Account, Account.id == UsageDay.account_id)
        .join(Login, Login.account_id == Account.id)
        .where(UsageDay.day == day, UsageDay.mode == "live", Login.wants_budget_mail.is_(True))
        .where(Account.disabled_at.is_(None), Account.email.is_not(None))
        .group_by(*people)
    )
    with store.read() as connection:
        rows = connection.execute(statement).all()
    found = []
    for account_id, email, plan_id, ends_at, next_plan_id, tokens in rows:
        limit = plans.in_force(plan_id, ends_at, next_plan_id, now).tokens_per_day
        share = next((share for share in PERCENTS if limit and tokens * 100 >= limit * share), None)
        if limit and share:
            found.append(BudgetNotice(account_id, str(email), share, tokens, limit, day))
    return found


def _claim(store: Store, notice: BudgetNotice, now: datetime) -> bool:
    """Whether this process may send it: the row can be written once, by the first worker."""
    kinds = [f"budget-{share}" for share in PERCENTS if share >= notice.percent]
    same = (Notice.account_id == notice.account_id, Notice.day == notice.day, Notice.kind.in_(kinds))
    row = {"account_id": notice.account_id, "kind": f"budget-{notice.percent}", "day": notice.day, "sent_at": now}
    with store.read() as connection:
        if connection.execute(select(Notice.id).where(*same)).first():
            return False
    try:
        with store.write() as connection:
            connection.execute(insert(Notice).values(row))
    except exc.IntegrityError:
        return False
    return True
