"""The migration to a ledger: balances that were there before become entries, and the tables only grow from then on."""

from __future__ import annotations

import pytest
from flask_migrate import upgrade
from sqlalchemy import exc, text

from llmrack.billing import credits
from llmrack.store.database import Store


@pytest.fixture
def store(unmigrated: Store) -> Store:
    """A database from before there was a ledger, with two accounts; then migrated."""
    upgrade(revision="0002")
    with unmigrated.write() as connection:
        connection.execute(text("INSERT INTO accounts (id, name, created_at) VALUES (1, 'a', 0), (2, 'b', 0)"))
        names = "account_id, paid_nanousd, spent_nanousd, held_nanousd"
        connection.execute(text(f"INSERT INTO balances ({names}) VALUES (1, 500, 20, 0), (2, 0, 0, 0)"))
    upgrade()
    return unmigrated


def test_what_was_paid_and_spent_before_is_carried_over(store: Store) -> None:
    assert credits.check(store) == 2
    assert [(row.kind, row.amount_nanousd) for row in credits.entries(store, 1)] == [("spent", -20), ("granted", 500)]
    assert credits.entries(store, 2) == []


@pytest.mark.parametrize("table", ["credit_entries", "plan_changes", "audit_entries"])
@pytest.mark.parametrize("change", ["UPDATE {} SET account_id = 2", "DELETE FROM {}"])
def test_the_migrated_tables_only_grow(store: Store, table: str, change: str) -> None:
    with store.write() as connection:
        if table == "plan_changes":
            names = "account_id, starts_at, reason, actor, created_at"
            connection.execute(text(f"INSERT INTO plan_changes ({names}) VALUES (1, 0, '', '', 0)"))
        if table == "audit_entries":
            names = "at, actor, action, account_id, detail"
            connection.execute(text(f"INSERT INTO audit_entries ({names}) VALUES (0, '', '', 1, '')"))
    with pytest.raises(exc.DBAPIError, match=f"{table} only grows"), store.write() as connection:
        connection.execute(text(change.format(table)))
