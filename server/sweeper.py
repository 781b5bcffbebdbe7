"""The background work of a worker: renewing what it is answering, settling what a dead one left, and whatever else is
written in batches."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from llmrack.errors import Unavailable
from llmrack.metering.meter import Meter

log = logging.getLogger(__name__)

# Four beats in a lease: rows of a live worker never come near their end, those of a dead one are found soon after it.
INTERVAL_S = 5.0


class Sweeper:
    """One thread (a greenlet under gevent) a process. It sweeps when it starts, and then at every beat.

    `also` is called at every beat too, and once more when it stops.
    """

    def __init__(self, meter: Meter, interval_s: float = INTERVAL_S, also: Callable[[], None] = lambda: None) -> None:
        self._meter = meter
        self._also = also
        self._interval_s = interval_s
        self._is_stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Beat once more, so that nothing waits to be booked, and end."""
        self._is_stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._beat()

    def _run(self) -> None:
        while True:
            self._beat()
            if self._is_stopped.wait(self._interval_s):
                return

    def _beat(self) -> None:
        try:
            self._meter.heartbeat()
            self._meter.sweep()
            self._also()
        except Unavailable:
            # Said in the log already; the next beat tries again.
            pass
        except Exception:
            log.exception("a beat of the sweeper failed")
