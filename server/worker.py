"""gunicorn's gevent worker, with a bound on the connections of one address."""

from __future__ import annotations

import contextlib
import json
import mmap
import socket
import sys
import time
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.workers import ggevent

# Of the connections a worker holds, one address may have at most this share, whatever the setting says: the rest
# answers others, the health check among them.
LARGEST_SHARE = 0.75
# How long a refused client may take to send its request; an answer before it would often be lost with the connection.
REFUSAL_WAIT_S = 0.2
RETRY_AFTER_S = 1
# What the kernel takes of answers that a client has not read, before the sending one has to wait and its deadline
# runs; Linux doubles it. Left to itself it grows to 4 MB, which is as many answers made for a client that reads none.
UNREAD_BYTES = 128 * 1024
LOG_EVERY_S = 60.0


class Addresses:
    """How many connections each client address has here, up to `most` of them; None is no bound."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self._open: dict[str, int] = {}

    def enter(self, address: str) -> bool:
        """Count a new connection, unless its address has as many as it may."""
        held = self._open.get(address, 0)
        if self.most is not None and held >= self.most:
            return False
        self._open[address] = held + 1
        return True

    def leave(self, address: str) -> None:
        held = self._open[address] - 1
        if held:
            self._open[address] = held
        else:
            del self._open[address]


class Worker(ggevent.GeventWorker):
    """A connection is answered, or refused with a 503 when its address has too many."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._addresses = Addresses()
        # Set by the master: a successor is to come, or it has come.
        self.is_superseded = self.is_retiring = False
        # A byte that master and worker share.
        self._ready = mmap.mmap(-1, 1)
        self._logged_at = float("-inf")

    def init_process(self) -> None:
        for listener in self.sockets:
            # Connections inherit it.
            listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD_BYTES)
        if self.cfg.workers > 1:
            # gevent takes up to 100 of those that wait at once; then the worker that wakes first has them all.
            ggevent.StreamServer.max_accept = 1
        super().init_process()

    @property
    def is_ready(self) -> bool:
        """Whether it accepts connections; asked by the master."""
        return bool(self._ready[0])

    def notify(self) -> None:
        """The heartbeat, which begins when the listeners are served."""
        self._ready[0] = 1
        super().notify()

    def load_wsgi(self) -> None:
        try:
            super().load_wsgi()
        except SystemExit:
            # wsgi.py has said why. With any other code gunicorn would start worker after worker.
            sys.exit(Arbiter.APP_LOAD_ERROR)

    def bound_addresses(self, most: int) -> None:
        """From now on at most `most` connections of one address; 0 for no bound."""
        self._addresses.most = min(most, max(1, int(self.worker_connections * LARGEST_SHARE))) if most else None

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        # The peer of a Unix socket has no address.
        address = addr[0] if isinstance(addr, tuple) else ""
        if not self._addresses.enter(address):
            self._refuse(client, address)
            return
        try:
            super().handle(listener, client, addr)
        finally:
            self._addresses.leave(address)

    def _refuse(self, client: socket.socket, address: str) -> None:
        now = time.monotonic()
        if now - self._logged_at >= LOG_EVERY_S:
            self._logged_at = now
            self.log.warning("refused connections of %s, which has %s open", address, self._addresses.most)
        with contextlib.closing(client), contextlib.suppress(OSError):
            client.settimeout(REFUSAL_WAIT_S)
            with contextlib.suppress(TimeoutError):
                client.recv(65536)
            client.sendall(refusal(self._addresses.most))


def refusal(most: int | None) -> bytes:
    """The answer to a connection too many, in the envelope of every failure."""
    error = {
        "message": f"Your address has {most} connections open here, as many as it may. Close some, then retry.",
        "type": "api_error",
        "param": None,
        "code": "too_many_connections",
    }
    body = json.dumps({"error": error}).encode()
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
        f"Retry-After: {RETRY_AFTER_S}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
