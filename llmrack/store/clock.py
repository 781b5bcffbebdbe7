"""The database's clock, which all processes that share a database can agree on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from .database import Store

log = logging.getLogger(__name__)

# A host's clock that differs by more is named in the log: days and minutes of limits follow it.
TOLERATED_S = 2.0
WARN_EVERY_S = 3600.0
SECOND_US = 1_000_000


def _elapsed_s() -> float:
    """Seconds that no change of this host's clock moves, those of a suspended machine included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class DatabaseClock:
    """Microseconds since 1970 as the database counts them, asked for now and then and carried on in between.

    On SQLite they are this machine's own. Every use costs no query but the first one. Raises Unavailable.
    """

    def __init__(self, store: Store, elapsed_s: Callable[[], float] = _elapsed_s) -> None:
        self._store = store
        self._elapsed_s = elapsed_s
        self._offset_us: float | None = None
        self._warned_at = float("-inf")

    def __call__(self) -> int:
        offset_us = self.synchronise() if self._offset_us is None else self._offset_us
        return int(offset_us + self._elapsed_s() * SECOND_US)

    def synchronise(self) -> float:
        """Ask the database what time it is; half of the way there and back counts as past. Returns the offset."""
        before_s = self._elapsed_s()
        database_us = self._store.time_us()
        middle_s = (before_s + self._elapsed_s()) / 2
        self._offset_us = database_us - middle_s * SECOND_US
        self._compare(time.time() - database_us / SECOND_US)
        return self._offset_us

    def _compare(self, ahead_s: float) -> None:
        if abs(ahead_s) <= TOLERATED_S or self._elapsed_s() - self._warned_at < WARN_EVERY_S:
            return
        self._warned_at = self._elapsed_s()
        log.warning(
            "this host's clock is %.1f s %s the database's; leases follow the database's, days and minutes of limits"
            " this one: set it by NTP",
            abs(ahead_s),
            "ahead of" if ahead_s > 0 else "behind",
        )
