"""Moving windows counted in this process, as a storage of the `limits` library.

The library's own `memory://` starts a timer thread for every burst of requests, which looks at every key there is, and
puts each hit at the front of a list: both grow with the number of callers. Here a hit costs the same for any number.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from limits.storage import MovingWindowSupport, Storage

# Keys that were not used for a window's length are forgotten this often.
FORGET_EVERY_S = 60.0


class WorkerStorage(Storage, MovingWindowSupport):
    """`worker://`: the times of the hits inside the window, by key, oldest first."""

    STORAGE_SCHEME = ["worker"]

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **_: Any) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        self._hits: dict[str, deque[float]] = {}
        self._lock = threading.Lock()
        self._forget_at = time.time() + FORGET_EVERY_S

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        now = time.time()
        with self._lock:
            if now >= self._forget_at:
                self._forget(now, expiry)
            hits = self._since(key, now - expiry)
            if len(hits) + amount > limit:
                return False
            hits.extend((now,) * amount)
            return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        now = time.time()
        with self._lock:
            hits = self._since(key, now - expiry)
            return (hits[0], len(hits)) if hits else (now, 0)

    def _since(self, key: str, start: float) -> deque[float]:
        hits = self._hits.get(key)
        if hits is None:
            hits = self._hits[key] = deque()
        while hits and hits[0] < start:
            hits.popleft()
        return hits

    def _forget(self, now: float, expiry: int) -> None:
        self._forget_at = now + FORGET_EVERY_S
        self._hits = {key: hits for key, hits in self._hits.items() if hits and hits[-1] >= now - expiry}

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        with self._lock:
            count = len(self._hits)
            self._hits.clear()
        return count

    def clear(self, key: str) -> None:
        with self._lock:
            self._hits.pop(key, None)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        raise NotImplementedError("only moving windows are counted here")

    get = get_expiry = incr  # type: ignore[assignment]
