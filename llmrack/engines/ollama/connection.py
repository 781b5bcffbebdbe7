"""A small pooled HTTP/1.1 client for the one conversation that is on the hot path: posting JSON to an Ollama.

It exists because a stream needs three things together that `requests` cannot give: a read that times out and goes on
later (pings while the model is silent), a hang-up from another greenlet (the client left), and everything that
arrived in one read handed over at once. Framing follows RFC 9112: Content-Length, chunked, or until close.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from urllib.parse import urlsplit

from . import framing
from .framing import BadResponse

RECV_BYTES = 65536
MAX_HEAD_BYTES = 65536


class Pool:
    """Idle connections to one server, the most recently used first."""

    def __init__(self, url: str, *, connect_timeout_s: float, idle_connections: int = 1000) -> None:
        parts = urlsplit(url)
        self.is_tls = parts.scheme == "https"
        self.host = parts.hostname or "127.0.0.1"
        self.port = parts.port or (443 if self.is_tls else 80)
        self.prefix = parts.path.rstrip("/")
        self.connect_timeout_s = connect_timeout_s
        self._idle: list[socket.socket] = []
        self._idle_connections = idle_connections
        self._tls = ssl.create_default_context() if self.is_tls else None

    def post(self, path: str, body: bytes) -> Response:
        """Send one POST of JSON; the answer is read by the caller. Raises OSError when the server cannot be reached."""
        head = (
            f"POST {self.prefix}{path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode("ascii")
        if self._idle:
            sock = self._idle.pop()
            try:
                send(sock, head + body)
                return Response(self, sock, head + body)
            except OSError:
                sock.close()  # The server closed it while it was idle; a fresh connection follows.
        return Response(self, self._connect_and_send(head + body), None)

    def _connect_and_send(self, message: bytes) -> socket.socket:
        sock = socket.create_connection((self.host, self.port), self.connect_timeout_s)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_hostname=self.host)
            send(sock, message)
        except BaseException:
            sock.close()
            raise
        return sock

    def give_back(self, sock: socket.socket) -> None:
        if len(self._idle) < self._idle_connections:
            self._idle.append(sock)
        else:
            sock.close()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


def send(sock: socket.socket, message: bytes | memoryview) -> None:
    """`sendall` at less cost: gevent's asks the kernel for its buffer's size first; nearly always one send will do."""
    sent = sock.send(message)
    if sent < len(message):
        sock.sendall(memoryview(message)[sent:])


class Response:
    """One answer being read. `read_some` may time out and be called again; `close` always frees the connection."""

    def __init__(self, pool: Pool, sock: socket.socket, resend: bytes | None) -> None:
        self._pool = pool
        self._sock: socket.socket | None = sock
        # The message to send once more when a pooled connection proves stale before any byte of an answer.
        self._resend = resend
        self._framing: framing.Framing | None = None
        self._head = b""
        self.status = 0
        self.is_done = False
        self._keeps_open = True
        self._wait_s: float | None = None

    def set_timeout(self, seconds: float) -> None:
        self._wait_s = seconds
        if self._sock is not None:
            self._sock.settimeout(seconds)

    def hang_up(self) -> None:
        """End the connection at once, also while another greenlet waits in `read_some`, which then sees its end."""
        self._resend = None
        if self._sock is not None:
            with contextlib.suppress(OSError):  # The peer may have been faster.
                self._sock.shutdown(socket.SHUT_RDWR)

    def read_head(self) -> int:
        """The status, once the head is there. Raises TimeoutError (call again), BadResponse, OSError."""
        while self._framing is None:
            data = self._recv()
            if data:
                self._head += data
                self._parse_head()
        return self.status

    def read_some(self) -> bytes:
        """The next bytes of the body, as they came; b"" once the body is whole (`is_done`).

        Raises TimeoutError (call again), BadResponse when the body ends early, OSError.
        """
        if self._framing is None:
            self.read_head()
        assert self._framing is not None  # noqa: S101 - read_head leaves a framing or raises
        while True:
            out = self._framing.take()
            if self._framing.is_done:
                self.is_done = True
            if out or self.is_done:
                return out
            self._framing.feed(self._recv())

    def read(self, limit_bytes: int) -> bytes:
        """The rest of the body, or its first `limit_bytes`."""
        parts: list[bytes] = []
        size = 0
        while size < limit_bytes and (data := self.read_some()):
            parts.append(data)
            size += len(data)
        return b"".join(parts)[:limit_bytes]

    def close(self) -> None:
        """Pool the connection after a whole answer, else end it, which is what stops an Ollama from generating."""
        sock, self._sock = self._sock, None
        if sock is None:
            return
        if self.is_done and self._keeps_open and self._framing is not None and self._framing.is_clean:
            self._pool.give_back(sock)
        else:
            sock.close()

    def _recv(self) -> bytes:
        if self._sock is None:
            raise BadResponse("the connection is closed")
        try:
            data = self._sock.recv(RECV_BYTES)
        except (ConnectionResetError, BrokenPipeError):
            if self._resend is None:
                raise
            data = b""
        if data:
            self._resend = None
            return data
        if self._resend is not None:
            return self._retry()
        if self._framing is not None and self._framing.ends_with_close:
            return b""
        raise BadResponse("the connection ended before the answer was whole")

    def _retry(self) -> bytes:
        message, self._resend = self._resend, None
        if self._sock is not None:
            self._sock.close()
        self._sock = None
        self._sock = self._pool._connect_and_send(message or b"")
        self._sock.settimeout(self._wait_s)
        return b""

    def _parse_head(self) -> None:
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            if len(self._head) > MAX_HEAD_BYTES:
                raise BadResponse("the response head is too long")
            return
        lines = self._head[:end].split(b"\r\n")
        try:
            self.status = int(lines[0].split(b" ", 2)[1])
        except (IndexError, ValueError):
            raise BadResponse("that is not an HTTP response") from None
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            headers[name.strip().lower()] = value.strip().lower()
        rest = self._head[end + 4 :]
        if 100 <= self.status < 200:
            self._head = rest
            self._parse_head()
            return
        self._keeps_open = headers.get(b"connection") != b"close" and lines[0].startswith(b"HTTP/1.1")
        self._framing = framing.of(headers, self.status)
        self._framing.feed_first(rest)
