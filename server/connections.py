"""Notices that a client has left, that a body comes too slowly, and that this worker is being stopped.

One thread (a greenlet under gevent) looks at all open connections with a single system call a quarter of a second,
so a stream pays nothing per piece for it. A peer that has closed its sending side counts as gone, as it does for
nginx and for Go's server.
"""

from __future__ import annotations

import contextlib
import functools
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from gevent.monkey import get_original

from llmrack.errors import RequestTimedOut

TICK_S = 0.25
# Streams that are still open this long before the graceful timeout ends are told so and settled.
DRAIN_MARGIN_S = 5.0
_GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR | select.POLLNVAL


class Entry:
    """One connection under watch."""

    __slots__ = ("deadline", "fd", "on_gone", "on_late", "on_stop")

    def __init__(self, fd: int, on_gone: Callable[[], None] | None = None) -> None:
        self.fd = fd
        self.on_gone = on_gone
        self.on_stop: Callable[[], None] | None = None
        self.deadline: float | None = None
        self.on_late: Callable[[], None] | None = None


class Watch:
    """The connections of this process that a view or a body wants to hear about. A socket of None is never watched."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        # The operating system's own poll: gevent's costs a watcher per connection, and with no wait nothing blocks.
        self._poll: Any = get_original("select", "poll")()
        self._thread: threading.Thread | None = None
        self._is_stopping: Callable[[], bool] = lambda: False
        self._graceful_s = 0.0
        self._stopping_since: float | None = None

    def follow_worker(self, is_stopping: Callable[[], bool], graceful_s: float) -> None:
        """Let streams end in a known way before the server kills them: called once when a worker has started."""
        self._is_stopping = is_stopping
        self._graceful_s = graceful_s

    def expect_body(self, sock: socket.socket | None, seconds: float) -> Entry | None:
        """Bound the time a request body may take, until `forget`: the reader then sees its end."""
        if sock is None:
            return None
        entry = Entry(sock.fileno())
        entry.deadline = time.monotonic() + seconds
        entry.on_late = functools.partial(_end_reading, sock)
        # The reader notices by itself that the peer has gone, so there is nothing to poll for.
        self._start()
        self._entries[entry.fd] = entry
        return entry

    def follow(
        self, sock: socket.socket | None, on_gone: Callable[[], None], on_stop: Callable[[], None]
    ) -> Entry | None:
        """Call `on_gone` within half a second after the peer has closed, `on_stop` when the worker runs out of time."""
        if sock is None:
            return None
        entry = Entry(sock.fileno(), on_gone)
        entry.on_stop = on_stop
        self._add(entry)
        return entry

    def forget(self, entry: Entry | None) -> None:
        if entry is not None and self._entries.get(entry.fd) is entry:
            del self._entries[entry.fd]
            if entry.on_late is None:
                self._poll.unregister(entry.fd)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="presence", daemon=True)
            self._thread.start()

    def _add(self, entry: Entry) -> None:
        self._start()
        self._entries[entry.fd] = entry
        self._poll.register(entry.fd, select.POLLRDHUP)

    def _run(self) -> None:
        while True:
            time.sleep(TICK_S)
            self._look()

    def _look(self) -> None:
        for fd, events in self._poll.poll(0) if self._entries else ():
            entry = self._entries.get(fd)
            if entry is not None and events & _GONE:
                self.forget(entry)
                if entry.on_gone is not None:
                    entry.on_gone()
        self._look_at_deadlines()
        self._look_at_worker()

    def _look_at_deadlines(self) -> None:
        now = time.monotonic()
        for entry in list(self._entries.values()):
            if entry.deadline is not None and now > entry.deadline and entry.on_late is not None:
                entry.deadline = None
                entry.on_late()

    def _look_at_worker(self) -> None:
        if not self._is_stopping():
            return
        now = time.monotonic()
        self._stopping_since = self._stopping_since or now
        if now - self._stopping_since < self._graceful_s - DRAIN_MARGIN_S:
            return
        for entry in list(self._entries.values()):
            if entry.on_stop is not None:
                self.forget(entry)
                entry.on_stop()


class TimedBody:
    """A request's body (`wsgi.input`) that must arrive in time, whatever reads it: RequestTimedOut otherwise.

    The time runs from the first read, and only while something reads: a view may take longer than its client may.
    """

    def __init__(self, stream: Any, sock: socket.socket, watch: Watch, timeout_s: float) -> None:
        self._stream = stream
        self._sock = sock
        self._watch = watch
        self._timeout_s = timeout_s
        self._deadline: float | None = None

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._timed(self._stream.read, size)
        return data

    def readline(self, size: int = -1) -> bytes:
        data: bytes = self._timed(self._stream.readline, size)
        return data

    def readlines(self, hint: int = -1) -> list[bytes]:
        lines: list[bytes] = self._timed(self._stream.readlines, hint)
        return lines

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def _timed(self, read: Callable[[int], Any], size: int) -> Any:
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + self._timeout_s
        entry = self._watch.expect_body(self._sock, self._deadline - now)
        try:
            data = read(size)
        except Exception:
            # A chunked body that ends early is an error of gunicorn's.
            self._require_time()
            raise
        finally:
            self._watch.forget(entry)
        self._require_time()
        return data

    def _require_time(self) -> None:
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise RequestTimedOut(f"The request body did not arrive within {self._timeout_s:.0f} seconds.")


def _end_reading(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RD)
