"""The store: what commits, what does not, and what a store that is away looks like."""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import gevent
import pytest
from sqlalchemy import bindparam, insert, select, text

from llmrack.errors import Unavailable
from llmrack.store import database
from llmrack.store.database import PreparedStatement, Store, engine_options
from llmrack.store.tables.usage import Account
from tests.support.stores import NOON, opened

ADD = PreparedStatement(
    insert(Account).values({name: bindparam(name) for name in ("name", "email", "plan_id", "created_at")})
)
FIND = PreparedStatement(select(Account.name).where(Account.name == bindparam("name")))


def values(name: str) -> dict[str, object]:
    return {
        "name": name,
        "created_at": 0,
        "plan_id": None,
        "plan_ends_at": None,
        "next_plan_id": None,
        "uses_credits": False,
        "nanousd_per_month": None,
        "email": None,
        "disabled_at": None,
        "id": hash(name) % 10**6,
    }


def names(store: Store) -> list[str]:
    with store.read() as connection:
        return list(connection.scalars(select(Account.name).order_by(Account.name)))


def test_transactions_commit_at_their_end(store: Store) -> None:
    with store.write() as connection:
        connection.execute(insert(Account).values(name="core", created_at=NOON))
    with store.transaction() as tx:
        assert tx.run(ADD, values("raw")) == 1
    assert names(store) == ["core", "raw"]
    with store.query() as query:
        assert tuple(query.one(FIND, {"name": "raw"})) == ("raw",)
        assert query.one(FIND, {"name": "nobody"}) is None


def add_and_end_by_core(store: Store, kind: type[BaseException]) -> None:
    with store.write() as connection:
        connection.execute(insert(Account).values(name="core", created_at=NOON))
        raise kind


def add_and_end(store: Store, kind: type[BaseException]) -> None:
    with store.transaction() as tx:
        tx.run(ADD, values("raw"))
        raise kind


def end_a_query(store: Store, kind: type[BaseException]) -> None:
    with store.query() as query:
        query.one(FIND, {"name": "raw"})
        raise kind


@pytest.mark.parametrize("kind", [ValueError, gevent.GreenletExit, KeyboardInterrupt, SystemExit])
def test_whatever_ends_a_transaction_early_undoes_it(store: Store, kind: type[BaseException]) -> None:
    for use in (add_and_end_by_core, add_and_end, end_a_query):
        with pytest.raises(kind):
            use(store, kind)
    assert names(store) == []
    with store.transaction() as tx:
        tx.run(ADD, values("next"))
    assert names(store) == ["next"]


def test_times_come_back_as_they_went_in(store: Store) -> None:
    with store.write() as connection:
        connection.execute(insert(Account).values(name="a", created_at=NOON.replace(microsecond=123456)))
    with store.read() as connection:
        assert connection.scalar(select(Account.created_at)) == NOON.replace(microsecond=123456)


def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/no/such/folder/x.db", "postgresql+psycopg://x@127.0.0.1:1/x"):
        with opened(url) as store:
            for use in (store.ping, lambda store=store: names(store)):
                with pytest.raises(Unavailable) as caught:
                    use()
                assert (caught.value.status, caught.value.retry_after_s) == (503, 2)


def test_unsupported_databases_are_refused_without_showing_the_password() -> None:
    for url in ("postgresql+pg8000://u:hunter2@h/d", "mysql://u:hunter2@h/d", "sqlite://"):
        with pytest.raises(ValueError, match="is not supported") as caught:
            engine_options(url)
        assert "hunter2" not in str(caught.value)


def test_sqlite_waits_for_another_writer(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with opened(f"sqlite:///{path}") as store:
        with store.write() as connection:
            connection.execute(text("CREATE TABLE t (n INTEGER)"))
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.2, lambda: other.execute("COMMIT")).start()
        started = time.monotonic()
        with store.write() as connection:
            connection.execute(text("INSERT INTO t VALUES (1)"))
        assert 0.1 < time.monotonic() - started < 2
        other.close()


def test_sqlite_gives_up_on_a_writer_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_DEADLINE_S", 0.1)
    with opened(f"sqlite:///{tmp_path}/x.db") as store:
        store.ping()
        other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable), store.transaction():
            pytest.fail("the transaction began")
        other.close()
        with store.transaction():
            pass


def test_sqlite_keeps_its_promises_by_pragma(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/x.db") as store, store.read() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert found == ["wal", 1, 1, 0]


def test_the_write_ahead_log_starts_anew_while_somebody_always_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LONG_LOG_PAGES", 100)
    with opened(f"sqlite:///{tmp_path / 'busy.db'}") as store:
        with store.write() as connection:
            connection.execute(text("create table pages (page blob)"))
        written, until = 0, time.monotonic() + 2

        def write() -> None:
            nonlocal written
            with closing(sqlite3.connect(tmp_path / "busy.db", isolation_level=None, timeout=5)) as connection:
                connection.execute("PRAGMA wal_autocheckpoint = 0")
                while time.monotonic() < until:
                    connection.execute("insert into pages values (zeroblob(4000))")
                    written += 1
                    time.sleep(0.0005)

        writer = threading.Thread(target=write)
        writer.start()
        while writer.is_alive():
            store.checkpoint()
            time.sleep(0.05)
        writer.join()
        log_pages = (tmp_path / "busy.db-wal").stat().st_size / 4120
        # Each row is three pages of log, so without a new start there would be three times as many.
        assert log_pages < written
