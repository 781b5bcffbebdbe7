"""gunicorn's master process: a worker stops accepting when its successor accepts, so no request waits for a start."""

from __future__ import annotations

import signal
from typing import Any

from gunicorn import arbiter
from gunicorn.errors import HaltServer


class _NotWaiting(Exception):
    """gunicorn's reload need not wait until the old workers have gone."""


class Arbiter(arbiter.Arbiter):
    """Workers are serving, or retiring: told to end their streams, and not counted any more."""

    _is_reloading = False

    @property
    def _serving(self) -> list[Any]:
        """The oldest first."""
        workers = [worker for worker in self.WORKERS.values() if not worker.is_retiring]
        return sorted(workers, key=lambda worker: worker.age)

    def spawn_worker(self) -> None:
        """The workers of a reload are started by the main loop, one after the other."""
        if not self._is_reloading:
            super().spawn_worker()

    def manage_workers(self) -> None:
        """Start those that are missing, then successors one at a time, and retire the oldest of more than are wanted.

        gunicorn tells the old workers to stop at once, and counts them until they are gone: new requests would wait
        for the start of a worker, and a worker that dies while streams end would not be replaced before their end.
        Starting costs a second of a processor; all at once would take it from those that answer.
        """
        for _ in range(self.num_workers - len(self._serving)):
            self.spawn_worker()
        ready = [worker for worker in self._serving if worker.is_ready]
        for worker in ready[: max(0, len(ready) - self.num_workers)]:
            worker.is_retiring = True
            self.kill_worker(worker.pid, signal.SIGTERM)
        if any(worker.is_superseded for worker in self._serving) and all(worker.is_ready for worker in self._serving):
            self.spawn_worker()

    def reload(self) -> None:
        """With settings that are refused, or an application that cannot start, the old workers go on."""
        config = self.app.cfg
        self._is_reloading = True
        try:
            super().reload()
        except _NotWaiting:
            for worker in self._serving:
                worker.is_superseded = True
        except SystemExit:
            # gunicorn.conf.py has said why.
            self.app.cfg = config
            self.log.error("not reloaded: the server goes on as it was")
        finally:
            self._is_reloading = False

    def reap_workers(self) -> None:
        if self._is_reloading:
            # The last thing a reload does is to call this until the old workers are gone, for up to the graceful
            # timeout, deaf to signals and to workers that die. The main loop does better.
            raise _NotWaiting
        while True:
            try:
                super().reap_workers()
            except HaltServer as error:
                ready = [worker for worker in self._serving if worker.is_ready]
                if len(ready) < self.num_workers:
                    raise
                for worker in ready:
                    worker.is_superseded = False
                self.log.error("not reloaded: %s The old workers go on.", error.reason)
            else:
                return

    def halt(self, reason: str | None = None, exit_status: int = 0) -> None:
        """wsgi.py has said why an application cannot start; like every command it ends with 1 then."""
        super().halt(reason, 1 if exit_status == self.APP_LOAD_ERROR else exit_status)
