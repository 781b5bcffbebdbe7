"""Crowds of clients that send or read slowly, on every kind of route, and how long the health check takes meanwhile."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
import time
from urllib.parse import urlsplit

from .rig import Bench, Figures, percentile

HEALTHY_S = 0.25
SENDING = ["/login", "/signup", "/reset", "/try", "/playground", "/nothing", "/v1/chat/completions"]
# Clients that come in a second. More work than a worker can do makes all of them wait; this is about clients that hold
# what they were given.
SENDERS_PER_S, READERS_PER_S = 250, 50
READING = ["/openapi.json", "/llms-full.txt", "/docs/search.json", "/", "/static/css/site.css", "/v1/embeddings"]


class Health:
    """How long `/healthz` took at each of the moments it was asked, from an address of its own."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port or 80)
        self._stop = threading.Event()
        self.waits_s: list[float] = []
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Health:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._stop.wait(0.02):
            began = time.monotonic()
            with socket.create_connection(self._address, 30, source_address=("127.0.0.2", 0)) as sock:
                sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                assert sock.recv(100).startswith(b"HTTP/1.1 200")
            self.waits_s.append(time.monotonic() - began)


def crowd(rig: Bench, *, senders: int = 1000, readers: int = 1000, for_s: float = 25.0) -> Figures:
    """Half of the crowd sends a body byte by byte, half asks for pages and reads nothing, all at the same time."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    parts = urlsplit(rig.server.url)
    address = (parts.hostname, parts.port or 80)
    key = rig.key("business", "test")
    sockets: list[socket.socket] = []
    sending: list[socket.socket] = []
    with Health(rig.server.url) as health:
        for n in range(senders + readers):
            sock = socket.socket()
            if n >= senders:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            sock.settimeout(10)
            sock.connect(address)
            sock.sendall(_half_body(n, key) if n < senders else _questions(n, key))
            sock.setblocking(False)
            sockets.append(sock)
            if n < senders:
                sending.append(sock)
            time.sleep(1 / (SENDERS_PER_S if n < senders else READERS_PER_S))
        deadline = time.monotonic() + for_s
        while time.monotonic() < deadline:
            for sock in sending:
                with contextlib.suppress(OSError):
                    sock.send(b"a")
            time.sleep(1)
    open_at_end = sum(_is_open(sock) for sock in sockets)
    for sock in sockets:
        sock.close()
    p99_ms, worst_ms = (percentile(health.waits_s, share) * 1000 for share in (0.99, 1))
    assert worst_ms < HEALTHY_S * 1000, worst_ms
    assert open_at_end < 0.05 * len(sockets), open_at_end
    return {
        "slow senders": senders,
        "non-readers": readers,
        "healthz asked": len(health.waits_s),
        "healthz p99 (ms)": round(p99_ms),
        "healthz worst (ms)": round(worst_ms),
        f"still open after {for_s:.0f} s": open_at_end,
    }


def _half_body(n: int, key: str) -> bytes:
    kind = "application/x-www-form-urlencoded"
    return (
        f"POST {SENDING[n % len(SENDING)]} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: 100000\r\n\r\nprompt="
    ).encode()


def _questions(n: int, key: str) -> bytes:
    """As many as a socket takes at once: their answers fill every buffer on the way."""
    path = READING[n % len(READING)]
    if path != "/v1/embeddings":
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 50
    body = '{"model": "nomic-embed", "input": [' + ",".join(['"a"'] * 100) + "]}"
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n{body}".encode() * 10


def _is_open(sock: socket.socket) -> bool:
    """Whether the server has not closed it: everything that came is read here."""
    try:
        while data := sock.recv(1 << 20):
            del data
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
