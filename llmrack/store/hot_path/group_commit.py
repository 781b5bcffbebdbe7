"""One commit for all the transactions that wait at the same time: what makes durable bookkeeping cheap on SQLite."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ...errors import ApiError, Unavailable
from .prepared import Transaction

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[Transaction], T]

# About 3 ms of work: other greenlets wait no longer than that.
AT_ONCE = 50


class Locked(Unavailable):
    """Another process writes, and has not stopped in time."""


class _Entry(Generic[T]):
    """One transaction, and the event its owner waits for: it is committed, or has failed."""

    __slots__ = ("came_at", "done", "error", "result", "work")

    def __init__(self, work: Work[T]) -> None:
        self.work = work
        self.came_at = time.monotonic()
        self.result: T | None = None
        self.error: BaseException | None = None
        # gevent's event is compiled, its lock is not: 10 microseconds for the two transactions of a request.
        self.done = threading.Event()


class GroupCommit:
    """One thread (a greenlet under gevent) that runs what waits in one transaction and commits it once.

    `commit` runs a function in a transaction of its own and commits, or raises. An ApiError out of a work is its
    answer and comes before its first write, so that it undoes nothing. Anything else undoes the whole transaction;
    then each work of it runs again alone, so that one that fails undoes no other.

    Only this thread touches the connection, so killing a greenlet that waits hurts no other request. `commit` waits for
    other processes until a deadline; each work has `wait_s` from when it came, however many came before.
    """

    def __init__(self, commit: Callable[[Work[Any], float], Any], wait_s: float) -> None:
        self._commit = commit
        self._wait_s = wait_s
        self._waiting: deque[_Entry[Any]] = deque()
        self._has_work = threading.Event()
        threading.Thread(target=self._run, name="group-commit", daemon=True).start()

    def run(self, work: Work[T]) -> T:
        """The result of `work`, once it is committed; raises what it raised."""
        entry = _Entry(work)
        self._waiting.append(entry)
        self._has_work.set()
        # Where this waits, the other requests of this turn of the loop come to stand beside it.
        entry.done.wait()
        if entry.error is not None:
            raise entry.error
        return entry.result  # type: ignore[return-value]

    def _run(self) -> None:
        while True:
            self._has_work.wait()
            self._has_work.clear()
            while self._waiting:
                entries = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
                try:
                    self._work(entries)
                except Locked as error:
                    # The first has waited its time; those that came later have some left.
                    late = time.monotonic() - self._wait_s
                    self._waiting.extendleft(entry for entry in reversed(entries) if entry.came_at > late)
                    entries = [entry for entry in entries if entry.came_at <= late]
                    _fail(entries, error)
                for entry in entries:
                    entry.done.set()

    def _work(self, entries: list[_Entry[Any]]) -> None:
        try:
            self._commit(lambda tx: _all(entries, tx), entries[0].came_at + self._wait_s)
        except Locked:
            raise
        except ApiError as error:
            _fail(entries, error)
        except Exception:
            log.exception("a shared transaction failed; its parts run again one by one")
            for entry in entries:
                self._alone(entry)
        except BaseException as error:
            # Not raised further: without this thread every later request would wait for ever.
            _fail(entries, error)

    def _alone(self, entry: _Entry[Any]) -> None:
        entry.error = None
        try:
            entry.result = self._commit(entry.work, entry.came_at + self._wait_s)
        except BaseException as error:
            entry.error = error


def _all(entries: list[_Entry[Any]], tx: Transaction) -> None:
    for entry in entries:
        try:
            entry.result = entry.work(tx)
        except ApiError as error:
            entry.error = error


def _fail(entries: list[_Entry[Any]], error: BaseException) -> None:
    for entry in entries:
        entry.error = entry.error or error
