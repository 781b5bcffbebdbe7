"""Processor time that a client's schema may take, enforced by interrupting the work.

Every keyword is counted, bounded or linear by itself. This is the bound behind those: a keyword that was overlooked
costs one request and not the worker, whose greenlets all wait while one of them computes.
"""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import ParamSpec, TypeVar

# The longest that other requests may wait for one request's schemas, in seconds of processor time.
STRETCH_S = 0.05
# Once the time is up, the interruption is repeated this often, in case something swallowed it.
REPEAT_S = 0.005

P = ParamSpec("P")
T = TypeVar("T")


class TooCostly(Exception):
    """The schema makes the work endless, or longer than one request may take."""


class _TimeUp(BaseException):
    """Raised by the signal; no handler of ordinary exceptions on the way may take it for its own."""


class TimeBudget:
    """Seconds of processor time for the schemas of one request, in stretches of at most `STRETCH_S`.

    The interruption needs the process's main thread, where gunicorn's gevent worker runs every request. In another
    thread the work is bounded by its counted steps alone, and holds up no other request.
    """

    def __init__(self, total_s: float = STRETCH_S) -> None:
        self._left_s = total_s
        self._began_at_s = self._ends_at_s = 0.0
        self._is_running = False
        self._collects = False

    def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns. It must not switch greenlets, except through `let_others_run`. Raises TooCostly."""
        if self._is_running or _running is not None or not _has_handler():
            return work(*args, **kwargs)
        try:
            try:
                self._start()
                return work(*args, **kwargs)
            finally:
                self._stop()
        except _TimeUp:
            # The signal may have come while `_stop` ran.
            self._stop()
            raise TooCostly("it takes too much processor time") from None

    def let_others_run(self) -> None:
        """Give the other greenlets of this thread their turn, off this budget's clock."""
        if not self._is_running:
            time.sleep(0)
            return
        self._stop()
        time.sleep(0)
        self._start()

    def _start(self) -> None:
        global _running
        if self._left_s <= 0:
            raise _TimeUp
        stretch_s = min(self._left_s, STRETCH_S)
        self._began_at_s = time.thread_time()
        self._ends_at_s = self._began_at_s + stretch_s
        self._is_running = True
        # The finalizers that a collection calls swallow exceptions, and are not of this request.
        self._collects = gc.isenabled()
        gc.disable()
        _running = self
        # Counts the processor time of all threads: never fires too late, and the handler looks at this thread's.
        signal.setitimer(signal.ITIMER_PROF, stretch_s, REPEAT_S)

    def _stop(self) -> None:
        global _running
        _running = None
        signal.setitimer(signal.ITIMER_PROF, 0)
        if self._is_running:
            self._is_running = False
            if self._collects:
                gc.enable()
            self._left_s -= time.thread_time() - self._began_at_s

    @property
    def ends_at_s(self) -> float:
        """When this stretch ends, on the clock of this thread's processor time."""
        return self._ends_at_s


_running: TimeBudget | None = None


def _interrupt(number: int, frame: FrameType | None) -> None:
    if _running is not None and time.thread_time() >= _running.ends_at_s:
        raise _TimeUp


def _has_handler() -> bool:
    """Install the interruption; False outside the main thread, which it does not reach."""
    try:
        # Refused outside the main thread; `threading` cannot be asked, where gevent makes it answer for greenlets.
        signal.signal(signal.SIGPROF, _interrupt)
    except ValueError:
        return False
    return True
