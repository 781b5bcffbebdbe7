"""gunicorn's response with its head and first bytes in one send.

gunicorn sends the head by itself. A send that wakes a sleeping peer is the most expensive system call of a request, and
the peer, woken by a head, has to go back to sleep for the rest.
"""

from __future__ import annotations

import functools
import time
from email.utils import formatdate
from typing import Any

from gunicorn import util
from gunicorn.http import wsgi


def install() -> None:
    """From now on in this worker: gunicorn has no setting for it."""
    wsgi.Response = OneSend
    # The same text for all answers of a second: making it costs 10 microseconds.
    util.http_date = lambda timestamp=None: _date(int(time.time() if timestamp is None else timestamp))


@functools.lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


class OneSend(wsgi.Response):
    _head = b""

    def send_headers(self) -> None:
        if not self.headers_sent:
            lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]
            self._head = "".join(lines).encode("latin-1")
            self.headers_sent = True

    def _emit_body(self, data: bytes) -> None:
        head, self._head = self._head, b""
        data = b"%s%X\r\n%s\r\n" % (head, len(data), data) if self.chunked else head + data
        # gevent's sendall asks the kernel for the size of its buffer each time; nearly always one send takes it all.
        sent = self.sock.send(data)
        if sent < len(data):
            self.sock.sendall(data[sent:])

    def can_sendfile(self) -> bool:
        """It would go past the head; nothing large is served from files."""
        return False

    def close(self) -> Any:
        self.send_headers()
        if self._head or self.chunked:
            self.sock.sendall(self._head + (b"0\r\n\r\n" if self.chunked else b""))
