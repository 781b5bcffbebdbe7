"""What gunicorn does for each request, without what is the same for all of them.

gunicorn has no settings for any of this. Microseconds are of processor time a request, of about 500 in all, measured
with `script/bench --figures plain` on the machine of `bench/README.md`.
"""

from __future__ import annotations

import errno
import functools
import time
from email.utils import formatdate
from typing import Any

from gunicorn import util
from gunicorn.config import Config
from gunicorn.http import message, wsgi

from llmrack.engines.ollama.connection import send

# A client has the write timeout for each part of an answer, so that a large one needs no fast line.
PART_BYTES = 256 * 1024


def install(cfg: Config, write_timeout_s: float) -> None:
    """From now on in this worker."""
    wsgi.Response = OneSend
    OneSend.write_timeout_s = write_timeout_s
    # The same text for all answers of a second: 10 microseconds.
    util.http_date = lambda timestamp=None: _date(int(time.time() if timestamp is None else timestamp))
    # gunicorn computes a setting each time it is asked for, two dozen times a request: 20.
    vars(cfg).update({name: setting.get() for name, setting in cfg.settings.items()})
    # A wrapper around standard error for each request, which looks up a logger: 6.
    base = wsgi.base_environ(cfg)
    wsgi.base_environ = lambda _: base.copy()
    if not cfg.forwarded_allow_ips:
        # The peer's address is parsed to be looked up in an empty list: 7.
        message.HeaderPolicy._peer_is_trusted_proxy = _is_on_this_machine


# Headers that gunicorn passes on as they are. Names are ours, never a client's, so there are few.
_last_values: dict[str, str] = {}


@functools.lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def _is_on_this_machine(request: message.HeaderPolicy) -> bool:
    """Only the peer of a Unix socket has no address."""
    return not isinstance(request.peer_addr, tuple)


class OneSend(wsgi.Response):
    """The head and the first bytes in one send, and a deadline for the client to read them, whatever is sent.

    A send that wakes a sleeping peer is the most expensive system call of a request, and the peer, woken by a head,
    has to go back to sleep for the rest.
    """

    _head = b""
    headers: list[tuple[str, str]]
    headers_sent: bool
    write_timeout_s: float | None = None

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        """As gunicorn does it. The value that a name had last time was looked at then: 5 microseconds."""
        for header in headers:
            name, value = header
            if _last_values.get(name) != value:
                before = len(self.headers)
                super().process_headers([header])
                if self.headers[before:] == [header] and name.lower() != "content-length":
                    _last_values[name] = value
            else:
                self.headers.append(header)

    def send_headers(self) -> None:
        if not self.headers_sent:
            lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]
            self._head = "".join(lines).encode("latin-1")
            self.headers_sent = True
            # A stream would keep them for as long as it lasts.
            self.headers = []

    def _emit_body(self, data: bytes) -> None:
        head, self._head = self._head, b""
        data = b"%s%X\r\n%s\r\n" % (head, len(data), data) if self.chunked else head + data
        self._send(data)

    def _send(self, data: bytes) -> None:
        """Raises ConnectionResetError when the client does not read, which gunicorn takes for one that has left."""
        self.sock.settimeout(self.write_timeout_s)
        try:
            if len(data) <= PART_BYTES:
                send(self.sock, data)
                return
            view = memoryview(data)
            for start in range(0, len(data), PART_BYTES):
                send(self.sock, view[start : start + PART_BYTES])
        except TimeoutError:
            raise ConnectionResetError(errno.ECONNRESET, "the client does not read") from None

    def can_sendfile(self) -> bool:
        """It would go past the head; nothing large is served from files."""
        return False

    def close(self) -> Any:
        self.send_headers()
        if self._head or self.chunked:
            self._send(self._head + (b"0\r\n\r\n" if self.chunked else b""))
        # The next request has deadlines of its own.
        self.sock.settimeout(None)
