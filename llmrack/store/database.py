"""The database: connections that survive gevent, short transactions, and one error for a store that is away."""

from __future__ import annotations

import contextlib
import logging
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, event, exc
from sqlalchemy.engine import make_url
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from ..errors import Unavailable
from .hot_path.fair_semaphore import FairSemaphore, WaitedTooLong
from .hot_path.group_commit import GroupCommit, Locked, Work
from .hot_path.prepared import PreparedStatement, Transaction
from .hot_path.row_cache import Row, RowCache
from .tables.base import Base

__all__ = ["PreparedStatement", "Store", "Transaction", "db", "engine_options"]

log = logging.getLogger(__name__)

db = SQLAlchemy(model_class=Base)

# Transactions take about a millisecond, so a few connections serve thousands of open streams.
POOL_SIZE = 10
# One account's admissions follow one another, so a crowd of one account waits longest: hundreds pass in a second on
# idle cores, but tens where other work keeps the cores busy.
POOL_WAIT_S = 10
CONNECT_TIMEOUT_S = 3
BUSY_DEADLINE_S = 5.0
RETRY_AFTER_S = 2
# How long a worker may go on using what it remembers of a database that another process has changed. Asking SQLite
# whether one has costs 12 microseconds.
RECALL_S = {"postgresql": 0.4, "sqlite": 0.05}
# Pages of 4 KB: a write-ahead log that is to start anew, and one that a commit itself cuts, because the checkpoints of
# another thread cannot keep up.
LONG_LOG_PAGES = 2_000
BELT_PAGES = 16_000

T = TypeVar("T")

_POSTGRESQL_OPTIONS = "-c lock_timeout=5s -c statement_timeout=15s -c idle_in_transaction_session_timeout=30s"


def engine_options(url: str) -> dict[str, Any]:
    """The SQLAlchemy options for `url`. Raises ValueError for a database or driver that LLMRack does not work on."""
    parsed = make_url(url)
    options: dict[str, Any] = {
        "poolclass": QueuePool,
        "pool_size": POOL_SIZE,
        "max_overflow": 0,
        "pool_timeout": POOL_WAIT_S,
        "pool_use_lifo": True,
        # Parameters are password hashes, addresses and hashes of tokens; errors are logged.
        "hide_parameters": True,
    }
    if parsed.drivername in ("sqlite", "sqlite+pysqlite") and parsed.database not in (None, "", ":memory:"):
        # Transactions are begun by hand, and waiting for a lock is ours, because SQLite's own wait stops the worker.
        options["connect_args"] = {"isolation_level": None, "timeout": 0, "check_same_thread": False}
    elif parsed.drivername == "postgresql+psycopg":
        options["connect_args"] = {"connect_timeout": CONNECT_TIMEOUT_S, "options": _POSTGRESQL_OPTIONS}
    else:
        raise ValueError(
            f"The database URL {parsed.render_as_string()} is not supported. "
            "Use sqlite:////path/to/file.db, or postgresql+psycopg://user:password@host/database."
        )
    return options


class Store:
    """Short transactions on one engine. Raises `Unavailable` when the database cannot be reached."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        self._driver: Any = engine.dialect.loaded_dbapi
        self._away = (self._driver.OperationalError, self._driver.InterfaceError)
        self._turns = FairSemaphore(POOL_SIZE)
        # Where connections wait for a lock, waiting for a connection is part of the same time.
        self._pool_wait_s = BUSY_DEADLINE_S if self.dialect == "sqlite" else POOL_WAIT_S
        self._group: GroupCommit | None = None
        self._kept: Any = None
        self._openings = self._changes = 0
        self._seen: float = 0
        self._ask_at = 0.0
        self._recalls: dict[PreparedStatement, RowCache] = {}
        _prepare(engine)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction for Core statements, committed at the end. Nothing may yield to other greenlets inside."""
        deadline = time.monotonic() + BUSY_DEADLINE_S
        with self._translated(), self._turns.turn(self._pool_wait_s), self.engine.connect() as connection:
            if self.dialect == "sqlite":
                _retry_while_busy(lambda: connection.exec_driver_sql("BEGIN IMMEDIATE"), deadline)
            with _ended(connection):
                yield connection
        self._changes += 1

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for Core queries that see one state of the database."""
        with self._translated(), self._turns.turn(self._pool_wait_s), self.engine.connect() as connection:
            if self.dialect == "sqlite":
                connection.exec_driver_sql("BEGIN")
            with _ended(connection):
                yield connection

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """`write` for prepared statements, on the driver's connection."""
        deadline = time.monotonic() + BUSY_DEADLINE_S
        with self._translated(), self._borrowed() as connection:
            if self.dialect == "sqlite":
                _retry_while_busy(lambda: connection.execute("BEGIN IMMEDIATE"), deadline)
            yield self._on(connection)
            connection.commit()

    def commit(self, work: Work[T]) -> T:
        """Run `work` in a transaction and return its result once that is committed.

        On PostgreSQL every call has a transaction of its own: together they would hold the locks of many accounts at
        once and wait for each other, and the server already writes commits that come together in one go.
        An ApiError out of `work` must come before its first write. `work` may run twice, the first time undone.
        """
        if self._group is not None:
            return self._group.run(work)
        with self.transaction() as tx:
            return work(tx)

    def share_commits(self) -> None:
        """Let calls of `commit` that come together share one, from now on: for processes that serve requests."""
        if self.dialect == "sqlite":
            self._group = GroupCommit(self._commit_on_kept, wait_s=BUSY_DEADLINE_S)

    def recall(self, statement: PreparedStatement, name: str, value: str) -> Row:
        """The one row of a query whose bind `name` is `value`, from memory while nothing but `commit` has written.

        A change by this process is noticed at once, one by another process after `RECALL_S`.
        """
        if statement not in self._recalls:
            self._recalls[statement] = RowCache(lambda value: self._one(statement, {name: value}), self._version)
        return self._recalls[statement].row(value)

    def _one(self, statement: PreparedStatement, values: dict[str, Any]) -> Row:
        with self.query() as query:
            return query.one(statement, values)

    def _version(self) -> object:
        """Another value than before when something that is remembered may have changed."""
        now = time.monotonic()
        if now >= self._ask_at:
            self._seen = self._data_version() if self.dialect == "sqlite" else now
            self._ask_at = now + RECALL_S[self.dialect]
        return self._changes, self._openings, self._seen

    def _data_version(self) -> int:
        """Counts the commits of every connection but the kept one: https://sqlite.org/pragma.html#pragma_data_version"""
        try:
            (version,) = (self._kept or self._keep()).execute("PRAGMA data_version").fetchone()
        except (exc.DBAPIError, exc.TimeoutError, *self._away) as error:
            raise _unavailable(error) from error
        return int(version)

    def _keep(self) -> Any:
        """The one connection of `commit`: its own commits do not change what is remembered."""
        if self._kept is None:
            pooled = self.engine.raw_connection()
            self._kept = pooled.dbapi_connection
            pooled.detach()
            if self._group is not None:
                # Others do it (`checkpoint`): after a commit it would stop the whole worker for the time of an fsync.
                self._kept.execute(f"PRAGMA wal_autocheckpoint = {BELT_PAGES}")
            self._openings += 1
        return self._kept

    def _commit_on_kept(self, work: Work[T], deadline: float) -> T:
        with self._translated():
            try:
                connection = self._keep()
                _retry_while_busy(lambda: connection.execute("BEGIN IMMEDIATE"), deadline)
                result = work(self._on(connection))
                connection.commit()
            except BaseException:
                # Closing it undoes what was not committed; the next one opens another.
                kept, self._kept = self._kept, None
                if kept is not None:
                    kept.close()
                raise
            return result

    def checkpoint(self) -> None:
        """Bring SQLite's write-ahead log into its file. It shares nothing, so it may run in any thread."""
        with contextlib.closing(sqlite3.connect(str(self.engine.url.database), isolation_level=None)) as connection:
            _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if pages > LONG_LOG_PAGES:
                # Where writes never pause, the log only starts anew when they are held up for what came meanwhile.
                connection.execute("PRAGMA wal_checkpoint(RESTART)")

    @contextmanager
    def query(self) -> Iterator[Transaction]:
        """One prepared query. On PostgreSQL without the two round trips of a transaction around it."""
        with self._translated(), self._borrowed(can_repair=False) as connection:
            if self.dialect == "sqlite":
                yield self._on(connection)
                return
            connection.autocommit = True
            yield self._on(connection)
            connection.autocommit = False

    def time_us(self) -> int:
        """What time it is where the database runs, in microseconds since 1970. Raises Unavailable."""
        if self.dialect == "sqlite":
            return time.time_ns() // 1000
        with self._translated(), self._borrowed() as connection:
            (at_us,) = connection.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").fetchone()
            return int(at_us)

    def ping(self) -> None:
        """Raises Unavailable unless the database answers."""
        with self._translated(), self._borrowed() as connection:
            connection.execute("SELECT 1").fetchone()

    def _on(self, connection: Any) -> Transaction:
        return Transaction(connection, self.dialect)

    @contextmanager
    def _borrowed(self, *, can_repair: bool = True) -> Iterator[Any]:
        """A driver connection that goes back to the pool only in a state the next borrower can use.

        A greenlet may be killed while PostgreSQL still works on its statement; the next user of that connection would
        read the answer meant for another request. So anything but an ordinary failure drops the connection.
        """
        with self._turns.turn(self._pool_wait_s):
            pooled: PoolProxiedConnection = self.engine.raw_connection()
            try:
                yield pooled.dbapi_connection
            except BaseException as error:
                if can_repair and isinstance(error, Exception) and not isinstance(error, self._away):
                    _roll_back(pooled)
                else:
                    pooled.invalidate()
                raise
            finally:
                pooled.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError, WaitedTooLong, *self._away) as error:
            raise _unavailable(error) from error
        except (exc.DBAPIError, self._driver.Error) as error:
            _forget_values(error)
            raise


def _forget_values(error: Exception) -> None:
    """Leave of a database's error what happened. PostgreSQL adds the values of the row, in lines of details."""
    for part in (error, getattr(error, "orig", None)):
        if isinstance(part, Exception) and part.args:
            part.args = (str(part.args[0]).partition("\n")[0],)


def _unavailable(error: Exception) -> Unavailable:
    _forget_values(error)
    log.error("the database failed: %s", getattr(error, "orig", None) or error)
    kind = Locked if _is_busy(error) else Unavailable
    return kind("The database cannot be reached at the moment. Retry is safe.", retry_after_s=RETRY_AFTER_S)


@contextmanager
def _ended(connection: Connection) -> Iterator[None]:
    try:
        yield
    except Exception:
        connection.rollback()
        raise
    except BaseException:
        connection.invalidate()
        raise
    connection.commit()


def _retry_while_busy(begin: Callable[[], Any], deadline: float) -> None:
    """Run `begin` until no other process writes; raises at the deadline, which counts from when its caller came."""
    pause_s = 0.001
    while True:
        try:
            begin()
            return
        except (sqlite3.OperationalError, exc.OperationalError) as error:
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
        time.sleep(pause_s * (0.5 + random.random()))  # noqa: S311 - jitter
        pause_s = min(pause_s * 2, 0.02)


def _roll_back(pooled: PoolProxiedConnection) -> None:
    try:
        pooled.rollback()
    except Exception:
        pooled.invalidate()


def _is_busy(error: BaseException) -> bool:
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    return getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


def _prepare(engine: Engine) -> None:
    """Set up each new connection of this engine, and drop pooled ones whose server has gone."""
    if engine.dialect.name == "sqlite":
        if not event.contains(engine, "connect", _set_up_sqlite):
            event.listen(engine, "connect", _set_up_sqlite)
    elif not event.contains(engine, "checkout", _drop_if_gone):
        event.listen(engine, "checkout", _drop_if_gone)


def _set_up_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    # Turning WAL on needs a lock for a moment, which another process starting at the same time may hold.
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA busy_timeout = 0")
    # In WAL, NORMAL loses nothing when the process is killed; a power cut may undo the last commits. FULL would make
    # every stream of this worker wait for the disk twice a request (https://sqlite.org/pragma.html#pragma_synchronous).
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _drop_if_gone(connection: Any, record: Any, proxy: Any) -> None:
    """An idle connection has nothing to say, so reading it, which never waits, finds out whether the server left.

    A server that is stopped in order says so before it leaves: the first reading gets that, the second the end.
    """
    try:
        connection.pgconn.consume_input()
        connection.pgconn.consume_input()
        is_idle = connection.info.transaction_status == 0
    except Exception:
        is_idle = False
    if not is_idle or connection.closed:
        # Unlike DisconnectionError this one also drops the other connections of the same age.
        raise exc.InvalidatePoolError("the server closed this connection")
