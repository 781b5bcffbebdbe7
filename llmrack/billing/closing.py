"""An account that its owner deletes: what happens to its credits, its keys and its name."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from .. import money
from ..accounts import audit, people
from ..store.database import Store
from ..store.tables.usage import Balance
from . import credits


class CreditsLeft(Exception):
    """The account has more credits than its owner gave up."""


def leave(store: Store, account_id: int, now: datetime, *, gives_up_nanousd: int = 0) -> None:
    """Delete an account: its keys end at once, and what names the person is gone. Usage stays, without a name.

    Credits that are left are taken off the ledger, what requests still being answered hold stays for them. Raises
    CreditsLeft when more are left than the owner gave up.
    """
    with store.write() as connection:
        _give_up_credits(connection, account_id, gives_up_nanousd, now)
        people.erase(connection, account_id, now)


def _give_up_credits(connection: Connection, account_id: int, at_most_nanousd: int, now: datetime) -> None:
    columns = (Balance.paid_nanousd - Balance.spent_nanousd, Balance.held_nanousd)
    # Locked, because requests and payments move it meanwhile.
    balance = select(*columns).where(Balance.account_id == account_id).with_for_update()
    row = connection.execute(balance).first()
    left, held = row or (0, 0)
    if left > at_most_nanousd:
        raise CreditsLeft
    given_up = max(0, left - held)
    if given_up:
        entry = credits.Entry(account_id, credits.GRANTED, -given_up, "Given up when the account was deleted", "owner")
        credits.book(connection, entry, now)
    detail = f"{money.usd_text(given_up)} USD of credits given up" if given_up else "no credits left"
    audit.record(connection, audit.Act(audit.OWNER, "account.deleted", account_id, detail), now)
