"""Who may use a connection next: first come, first served."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class WaitedTooLong(Exception):
    """No permit was released in time."""


class FairSemaphore:
    """A first-in, first-out semaphore with a fixed number of permits.

    SQLAlchemy's pool wakes a waiter and then lets a newcomer overtake it, so that in a crowd some wait for seconds
    while others pass many times. A waiter may be killed: a place that was handed to it meanwhile goes on to the next.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()

    @contextmanager
    def turn(self, wait_s: float) -> Iterator[None]:
        """Hold a place. Raises TurnMissed after waiting for `wait_s`."""
        if not self._take(wait_s):
            raise WaitedTooLong(f"no connection was free within {wait_s} s")
        try:
            yield
        finally:
            self._give()

    def _take(self, wait_s: float) -> bool:
        with self._mutex:
            if self._free:
                self._free -= 1
                return True
            place = threading.Lock()
            place.acquire()
            self._waiting.append(place)
        has_turn = False
        try:
            has_turn = place.acquire(timeout=wait_s)
        finally:
            if not has_turn:
                self._give_up(place)
        return has_turn

    def _give_up(self, place: threading.Lock) -> None:
        with self._mutex:
            if place in self._waiting:
                self._waiting.remove(place)
                return
        # It was handed over at the very moment of giving up.
        self._give()

    def _give(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
