"""The load generator: one thread, one epoll, prepared bytes. A job comes as JSON on stdin, its result goes to stdout.

`closed` keeps a number of connections busy for some seconds, or until so many answers, and gives counts and latencies.
`streams` opens streams over a ramp, one to a connection, keeps each going for a number of rounds, and gives first-piece
times and pieces. Pieces are counted by the upstream's word, whatever framing and JSON surround it.
"""

from __future__ import annotations

import base64
import json
import select
import socket
import sys
import time
from collections import Counter
from typing import Any

from .upstream import WORD

MARK = WORD.encode()
CHUNK_END = b"0\r\n\r\n"


class Connection:
    __slots__ = (
        "expected",
        "first",
        "got",
        "is_good",
        "last",
        "pieces",
        "rounds",
        "sock",
        "started",
        "stays",
        "tail",
        "unsent",
    )

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.rounds = 0
        self.clear(0.0)

    def clear(self, now: float) -> None:
        self.started, self.first, self.last = now, 0.0, 0.0
        self.got = self.expected = self.pieces = 0
        self.tail = self.unsent = b""
        self.stays = self.is_good = True


class Load:
    """Counts what happens until `until`; `result` says it in plain values."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.address = (job["host"], job["port"])
        self.request = base64.b64decode(job["request"])
        self.wanted = job.get("pieces", 0)
        self.epoll = select.epoll()
        self.open: dict[int, Connection] = {}
        self.latencies: list[float] = []
        self.firsts: list[float] = []
        self.gaps: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.pieces = self.answers = 0
        self.samples: dict[str, str] = {}
        self.until = 0.0

    def run(self) -> dict[str, Any]:
        return getattr(self, f"_{self.job['kind']}")()

    def _closed(self) -> dict[str, Any]:
        """Every connection asks again as soon as it has its answer."""
        began = time.perf_counter()
        self.until = began + self.job["seconds"]
        for _ in range(self.job["connections"]):
            self._ask(self._connect())
        most = self.job.get("answers", 1 << 60)
        while (now := time.perf_counter()) < self.until and self.answers < most:
            self._turn(min(0.1, self.until - now))
        return self._result(time.perf_counter() - began)

    def _streams(self) -> dict[str, Any]:
        """Streams start one after another over the ramp; a stream that ended starts again until `seconds` are over."""
        began = time.perf_counter()
        self.until = began + self.job["seconds"]
        count, ramp_s = self.job["connections"], self.job.get("ramp_s", 0.0)
        started, hard_end = 0, self.until + self.job.get("patience_s", 30.0)
        while (now := time.perf_counter()) < hard_end:
            due = count if ramp_s == 0 else min(count, int((now - began) / ramp_s * count) + 1)
            while started < due:
                self._ask(self._connect())
                started += 1
            if started == count and not self.open:
                break
            self._turn(0.005 if started < count else 0.05)
        self.errors["unfinished"] += len(self.open)
        return self._result(time.perf_counter() - began)

    def _turn(self, wait_s: float) -> None:
        for fd, event in self.epoll.poll(max(0.0, wait_s)):
            connection = self.open.get(fd)
            if connection is None:
                continue
            if event & select.EPOLLOUT:
                self._push(connection)
            else:
                self._receive(connection)

    def _connect(self) -> Connection:
        sock = socket.socket()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect(self.address)
        sock.setblocking(False)
        connection = self.open[sock.fileno()] = Connection(sock)
        self.epoll.register(sock, select.EPOLLIN)
        return connection

    def _ask(self, connection: Connection) -> None:
        connection.clear(time.perf_counter())
        connection.unsent = self.request
        self._push(connection)

    def _push(self, connection: Connection) -> None:
        try:
            sent = connection.sock.send(connection.unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lost(connection, "reset while sending")
            return
        was_whole = len(connection.unsent) == len(self.request)
        connection.unsent = connection.unsent[sent:]
        if connection.unsent or not was_whole:
            more = select.EPOLLOUT if connection.unsent else 0
            self.epoll.modify(connection.sock, select.EPOLLIN | more)

    def _receive(self, connection: Connection) -> None:
        try:
            data = connection.sock.recv(262_144)
        except BlockingIOError:
            return
        except OSError:
            self._lost(connection, "reset")
            return
        if not data:
            self._lost(connection, "closed early" if connection.got else "closed before an answer")
            return
        if not connection.got:
            self._head(connection, data)
        connection.got += len(data)
        if self.wanted:
            self._count(connection, data)
        connection.tail = (connection.tail + data)[-64:] if len(data) < 64 else data[-64:]
        if connection.got >= connection.expected if connection.expected else connection.tail.endswith(CHUNK_END):
            self._ended(connection)

    def _head(self, connection: Connection, data: bytes) -> None:
        """The status, and how long the answer is; 0 stands for chunks. Heads come in one piece on loopback."""
        status = data[9:12].decode("latin-1")
        self.statuses[status] += 1
        connection.is_good = status == "200"
        self.samples.setdefault(status, data[:1000].decode("latin-1"))
        end = data.find(b"\r\n\r\n")
        head = data[:end].lower()
        connection.stays = b"connection: close" not in head
        at = head.find(b"content-length:")
        connection.expected = int(data[at + 15 : data.find(b"\r\n", at)]) + end + 4 if at >= 0 else 0

    def _count(self, connection: Connection, data: bytes) -> None:
        seen = connection.tail[1 - len(MARK) :] + data if connection.tail else data
        found = seen.count(MARK)
        if not found:
            return
        now = time.perf_counter()
        if not connection.first:
            connection.first = now
            self.firsts.append(now - connection.started)
        else:
            self.gaps.append(now - connection.last)
        connection.last = now
        connection.pieces += found
        self.pieces += found

    def _ended(self, connection: Connection) -> None:
        now = time.perf_counter()
        self.answers += 1
        self.latencies.append(now - connection.started)
        if self.wanted and connection.pieces != self.wanted and connection.is_good:
            self.errors["wrong number of pieces"] += 1
        connection.rounds += 1
        if now < self.until and connection.rounds < self.job.get("rounds", 1 << 60):
            if not connection.stays:
                self._drop(connection)
                connection = self._connect()
            self._ask(connection)
        elif self.job["kind"] == "streams":
            self._drop(connection)

    def _lost(self, connection: Connection, why: str) -> None:
        self.errors[why] += 1
        self._drop(connection)
        if self.job["kind"] == "closed" and time.perf_counter() < self.until and sum(self.errors.values()) < 1000:
            self._ask(self._connect())

    def _drop(self, connection: Connection) -> None:
        self.epoll.unregister(connection.sock)
        del self.open[connection.sock.fileno()]
        connection.sock.close()

    def _result(self, seconds: float) -> dict[str, Any]:
        return {
            "seconds": seconds,
            "answers": self.answers,
            "per_s": self.answers / seconds,
            "pieces": self.pieces,
            "pieces_per_s": self.pieces / seconds,
            "latency_ms": _spread(self.latencies),
            "first_piece_ms": _spread(self.firsts),
            "gap_ms": _spread(self.gaps),
            "statuses": dict(self.statuses),
            "errors": {why: count for why, count in self.errors.items() if count},
            "samples": {status: text for status, text in self.samples.items() if status != "200"},
            "load_cpu_s": time.process_time(),
        }


def _spread(seconds: list[float]) -> dict[str, float] | None:
    if not seconds:
        return None
    row = sorted(seconds)
    at = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {name: round(1000 * row[min(len(row) - 1, int(share * len(row)))], 4) for name, share in at.items()}


def main() -> None:
    print(json.dumps(Load(json.load(sys.stdin)).run()))


if __name__ == "__main__":
    main()
