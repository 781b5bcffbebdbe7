"""Migrations lead to exactly the tables that the models declare, on both databases, and back again."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import IntegrityError

from llmrack.store import locks
from llmrack.store.database import Store, db
from llmrack.store.tables.base import Base
from tests.support.databases import shared_postgresql
from tests.support.servers import ROOT, environment, flask, free_port


def test_the_migrated_schema_equals_the_models(unmigrated: Store) -> None:
    upgrade()
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        # Alembic does not compare check constraints and the conditions of indexes.
        inspector = inspect(connection)
        assert [check["name"] for check in inspector.get_check_constraints("usage")] == ["ck_usage_state"]
        conditions = {
            index["name"]: str(index["dialect_options"][f"{db.engine.dialect.name}_where"])
            for index in inspector.get_indexes("usage")
            if index.get("dialect_options", {}).get(f"{db.engine.dialect.name}_where") is not None
        }
        assert conditions.keys() == {"ix_usage_open"}
        assert all("state" in where and "'open'" in where for where in conditions.values())


def test_migrating_again_changes_nothing(unmigrated: Store) -> None:
    upgrade()
    upgrade()


def test_every_migration_can_be_undone(unmigrated: Store) -> None:
    upgrade()
    downgrade(revision="base")
    with db.engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    upgrade()


@pytest.mark.parametrize("start", ["empty", "0001"])
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_four_processes_that_start_at_once_all_find_the_new_schema(database: str, start: str, tmp_path: Path) -> None:
    env = environment(tmp_path, "http://127.0.0.1:9")
    if database == "postgresql":
        env["LLMRACK_DATABASE_URL"] = shared_postgresql().create()
    if start != "empty":
        flask(env, "db", "upgrade", start)
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "prepare"]
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(4)
    ]
    ends = [(process.communicate(timeout=90)[0], process.returncode) for process in processes]
    assert [code for _, code in ends] == [0, 0, 0, 0], "\n".join(text for text, _ in ends)
    assert not any("Traceback" in text for text, _ in ends)


def test_a_migration_that_does_not_end_is_one_sentence(unmigrated: Store) -> None:
    with db.engine.connect() as other, locks.migration(other), db.engine.connect() as waiting:
        began = time.monotonic()
        with pytest.raises(locks.StillMigrating, match="for 1 seconds"), locks.migration(waiting, wait_s=1):
            pass
        assert time.monotonic() - began < 3
    with db.engine.connect() as next_one, locks.migration(next_one, wait_s=0):
        pass


def test_the_lock_of_a_migration_outlives_the_time_that_a_transaction_may_idle() -> None:
    url = shared_postgresql().create()
    engine = create_engine(url, connect_args={"options": "-c idle_in_transaction_session_timeout=200ms"})
    try:
        with engine.connect() as first, locks.migration(first), engine.connect() as second:
            time.sleep(0.6)
            with pytest.raises(locks.StillMigrating), locks.migration(second, wait_s=0):
                pass
    finally:
        engine.dispose()


def test_a_database_that_is_away_is_one_sentence_when_it_is_to_be_migrated(tmp_path: Path) -> None:
    env = environment(tmp_path, "http://127.0.0.1:9")
    env["LLMRACK_DATABASE_URL"] = f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none"
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert [line for line in done.stderr.splitlines() if "cannot be used" in line] == [done.stderr.splitlines()[-1]]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_database_of_an_earlier_release_keeps_every_row_and_reference(database: str, tmp_path: Path) -> None:
    """Usage refers to keys, whose table SQLite copies and drops to give it columns that refer to others."""
    env = environment(tmp_path, "http://127.0.0.1:9")
    if database == "postgresql":
        env["LLMRACK_DATABASE_URL"] = shared_postgresql().create()
    flask(env, "db", "upgrade", "0006")
    engine = create_engine(env["LLMRACK_DATABASE_URL"])
    rows = {
        "accounts": {"id": 7, "name": "ada", "created_at": 1, "uses_credits": False},
        "balances": {"account_id": 7, "paid_nanousd": 5, "spent_nanousd": 3, "held_nanousd": 0},
        "keys": {
            "id": 9,
            "account_id": 7,
            "name": "k",
            "mode": "live",
            "permissions": "all",
            "secret_sha256": "0" * 64,
            "prefix": "rl_live_0000",
            "last4": "0000",
            "created_at": 2,
        },
        "usage_days": {
            "account_id": 7,
            "mode": "live",
            "day": "2026-11-22",
            "key_id": 9,
            "model_id": "phi-3-mini",
            "requests": 1,
            "prompt_tokens": 2,
            "completion_tokens": 1,
            "held_tokens": 0,
            "cost_nanousd": 3,
            "prepaid_nanousd": 3,
        },
    }
    with engine.begin() as connection:
        for table, row in rows.items():
            names = ", ".join(row)
            connection.execute(
                text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in row)})"),
                row,
            )
    flask(env, "db", "upgrade")
    with engine.connect() as connection:
        for table, row in rows.items():
            found = connection.execute(text(f"SELECT {', '.join(row)} FROM {table}")).mappings().all()
            assert [dict(one) for one in found] == [row], table
        if database == "sqlite":
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        if database == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        with pytest.raises(IntegrityError):
            connection.execute(text("DELETE FROM keys WHERE id = 9"))
    engine.dispose()
