"""One transaction at a time for each name, on every store: what counts rows and then writes one must not race."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, func, select


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
