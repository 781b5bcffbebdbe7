"""Requests that were refused, for the log that the owner of a key reads: what was wrong with them, and no content.

Noting one costs microseconds and no database: each worker collects, and writes what it has at every beat of the
sweeper, so that one which is killed loses the last seconds. A key has so many rows an hour; further refusals are
counted only, so that a client in a loop cannot fill the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from msgspec import Struct
from sqlalchemy import bindparam, delete, insert, select, text

from ..errors import Unavailable
from ..store.database import Store
from ..store.hot_path.prepared import PreparedStatement, Transaction
from ..store.tables.base import microseconds
from ..store.tables.usage import Refusal, RefusalHour

LISTED_PER_HOUR = 60
KEPT_DAYS = 30
HOUR_US = 3600 * 1_000_000
# Keys written in one transaction, and rows removed in one: other requests need not wait for more.
KEYS_AT_ONCE = 20
REMOVED_AT_ONCE = 1000

# The same in the SQL of both databases, which SQLAlchemy writes by two different functions.
_COUNT = PreparedStatement(
    text(
        "INSERT INTO refusal_hours (key_id, hour, account_id, mode, requests)"
        " VALUES (:key_id, :hour, :account_id, :mode, :requests)"
        " ON CONFLICT (key_id, hour) DO UPDATE SET requests = refusal_hours.requests + excluded.requests"
        " RETURNING requests"
    )
)
_LIST = PreparedStatement(insert(Refusal))
_FORGET = PreparedStatement(
    delete(Refusal).where(
        Refusal.request_id.in_(
            select(Refusal.request_id).where(Refusal.created_at < bindparam("before")).limit(REMOVED_AT_ONCE)
        )
    )
)
_FORGET_HOURS = PreparedStatement(delete(RefusalHour).where(RefusalHour.hour < bindparam("before")))


class Refused(Struct, frozen=True):
    """One refusal. `endpoint` is a method and a path, `created_at` in microseconds since 1970."""

    request_id: str
    account_id: int
    key_id: int
    mode: str
    endpoint: str
    status: int
    code: str
    param: str | None
    created_at: int


class _Pending(Struct):
    """What one key was refused in one hour and is not written yet."""

    first: Refused
    requests: int
    rows: list[Refused]


class Refusals:
    """Collects the refusals of this process. `flush` writes them."""

    def __init__(self) -> None:
        self._pending: dict[tuple[int, int], _Pending] = {}
        self._lock = threading.Lock()
        self._forget_at = 0.0

    def note(self, refused: Refused) -> None:
        where = refused.key_id, refused.created_at // HOUR_US
        with self._lock:
            pending = self._pending.get(where)
            if pending is None:
                pending = self._pending[where] = _Pending(refused, 0, [])
            pending.requests += 1
            if len(pending.rows) < LISTED_PER_HOUR:
                pending.rows.append(refused)

    def flush(self, store: Store) -> None:
        """Write what was noted. Raises Unavailable, and keeps what is not written for the next time."""
        with self._lock:
            taken, self._pending = self._pending, {}
        left = iter(taken.items())
        while part := dict(islice(left, KEYS_AT_ONCE)):
            try:
                store.commit(lambda tx, part=part: _write(tx, part))  # type: ignore[misc]
            except Unavailable:
                self._keep({**part, **dict(left)})
                raise
        self._forget_old(store)

    def _keep(self, unwritten: dict[tuple[int, int], _Pending]) -> None:
        with self._lock:
            for where, old in unwritten.items():
                new = self._pending.get(where)
                if new is not None:
                    old.requests += new.requests
                    old.rows += new.rows[: LISTED_PER_HOUR - len(old.rows)]
                self._pending[where] = old

    def _forget_old(self, store: Store) -> None:
        """Once an hour, and when the process starts."""
        if time.monotonic() < self._forget_at:
            return
        self._forget_at = time.monotonic() + 3600
        forget(store, datetime.now(UTC) - timedelta(days=KEPT_DAYS))


def forget(store: Store, before: datetime) -> None:
    """Remove what was refused before a time, a part at a time."""
    stored = microseconds(before)
    while store.commit(lambda tx: tx.run(_FORGET, {"before": stored})) == REMOVED_AT_ONCE:
        pass
    store.commit(lambda tx: tx.run(_FORGET_HOURS, {"before": stored // HOUR_US}))


def _write(tx: Transaction, part: dict[tuple[int, int], _Pending]) -> None:
    # In one order everywhere, so that two workers never wait for each other's rows.
    for (key_id, hour), pending in sorted(part.items()):
        values = {"key_id": key_id, "hour": hour, "account_id": pending.first.account_id, "mode": pending.first.mode}
        counted = tx.one(_COUNT, {**values, "requests": pending.requests})
        before = int(counted[0]) - pending.requests if counted else 0
        for row in _allowed(pending.rows, LISTED_PER_HOUR - before):
            tx.run(_LIST, {name: getattr(row, name) for name in row.__struct_fields__})


def _allowed(rows: list[Refused], most: int) -> Iterator[Refused]:
    return islice(rows, max(0, most))
