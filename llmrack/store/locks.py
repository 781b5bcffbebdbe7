"""One transaction at a time for each name, on every store: what counts rows and then writes one must not race."""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, func, select

# A migration of a large table takes minutes; the processes that wait for it then find nothing to do.
MIGRATION_WAIT_S = 600.0
POLL_S = 0.2


class StillMigrating(RuntimeError):
    """Another process did not end its migration in time."""


def hold(connection: Connection, *names: str) -> None:
    """Wait until no other transaction holds any of these names, and hold them until this one ends.

    On PostgreSQL by advisory locks (https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS),
    always in one order, so that two transactions never wait for each other. On SQLite a writing transaction is alone
    from its beginning.
    """
    if connection.dialect.name == "postgresql":
        for key in sorted({_key(name) for name in names}):
            connection.execute(select(func.pg_advisory_xact_lock(key)))


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


@contextmanager
def migration(connection: Connection, wait_s: float = MIGRATION_WAIT_S) -> Iterator[None]:
    """Of the processes that start at the same time one migrates, and the others wait. Raises StillMigrating.

    On PostgreSQL an advisory lock of this session, which ends with it; on SQLite a lock on a file beside the database,
    because its own would have to be held across the statements that a migration commits.
    """
    if connection.dialect.name == "postgresql":
        key = _key("migration")
        _wait(lambda: bool(connection.scalar(select(func.pg_try_advisory_lock(key)))), wait_s)
        # The lock is the session's. An open transaction would let PostgreSQL end an idle session after 30 seconds.
        connection.commit()
        try:
            yield
        finally:
            connection.rollback()
            connection.execute(select(func.pg_advisory_unlock(key)))
        return
    with open(f"{connection.engine.url.database}.lock", "w") as file:

        def is_ours() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        _wait(is_ours, wait_s)
        yield


def _wait(is_ours: Callable[[], bool], wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while not is_ours():
        if time.monotonic() > deadline:
            raise StillMigrating(
                f"Another process has been migrating this database for {wait_s:.0f} seconds. Look at its log; when it"
                " has ended, start again."
            )
        time.sleep(POLL_S)
