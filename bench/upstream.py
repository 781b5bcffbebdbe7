"""A lean stand-in for Ollama that is never the bottleneck: prepared bytes, one thread, one epoll.

A prompt that contains `bench:PIECES:GAP_MS` is streamed in so many pieces so many milliseconds apart; a gap of 0 sends
them without a pause. Every piece is the word in `WORD`. It checks nothing: what Ollama refuses is the fake's business.
"""

from __future__ import annotations

import argparse
import functools
import heapq
import json
import re
import select
import socket
import time

WORD = "qwzx "
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"transfer-encoding: *chunked", re.IGNORECASE)
PLAN = re.compile(rb"bench:(\d+):(\d+)")
PLAIN = re.compile(rb'"stream": ?false')
MODELS = ("phi3:mini", "mistral:7b", "llama3.1:8b", "qwen2.5:7b", "nomic-embed-text:latest")
VECTOR = [round(0.0360844 * (-1) ** i, 7) for i in range(768)]


def _row(content: str, is_chat: bool, **more: object) -> dict[str, object]:
    said: dict[str, object] = (
        {"message": {"role": "assistant", "content": content}} if is_chat else {"response": content}
    )
    return {"model": "llama3.1:8b", "created_at": "2026-01-01T00:00:00.123456789Z"} | said | {"done": False} | more


def _counters(pieces: int) -> dict[str, object]:
    times = {"total_duration": 5_000_000, "load_duration": 1_000_000, "prompt_eval_duration": 2_000_000}
    times |= {"prompt_eval_count": 20, "eval_count": pieces, "eval_duration": 2_000_000}
    return {"done": True, "done_reason": "stop"} | times


def _chunk(row: dict[str, object]) -> bytes:
    data = json.dumps(row, separators=(",", ":")).encode() + b"\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


def _whole(value: object) -> bytes:
    data = json.dumps(value, separators=(",", ":")).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
    return head % len(data) + data


STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"


@functools.cache
def piece(is_chat: bool) -> bytes:
    return _chunk(_row(WORD, is_chat))


@functools.cache
def ending(is_chat: bool, pieces: int) -> bytes:
    return _chunk(_row("", is_chat) | _counters(pieces)) + b"0\r\n\r\n"


@functools.cache
def plain(is_chat: bool, pieces: int) -> bytes:
    return _whole(_row(WORD * pieces, is_chat) | _counters(pieces))


@functools.cache
def embedded(texts: int) -> bytes:
    return _whole({"model": "nomic-embed-text", "embeddings": [VECTOR] * texts, "prompt_eval_count": 8 * texts})


@functools.cache
def listed(path: bytes) -> bytes:
    rows = [{"name": name, "model": name, "size": 1, "context_length": 131072, "capabilities": []} for name in MODELS]
    return _whole({"version": "0.33.0"} if path == b"/api/version" else {"models": rows})


class Connection:
    __slots__ = ("buffer", "is_chat", "left", "pieces", "sock", "unsent")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = self.unsent = b""
        self.pieces = self.left = 0
        self.is_chat = True


class Upstream:
    """Holds the listener, the connections, and a heap of (when, number, connection, gap) for paced pieces."""

    def __init__(self, port: int) -> None:
        self.listener = socket.create_server(("127.0.0.1", port), backlog=4096)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.epoll = select.epoll()
        self.epoll.register(self.listener, select.EPOLLIN)
        self.open: dict[int, Connection] = {}
        self.due: list[tuple[float, int, Connection, float]] = []
        self.number = 0

    def run(self) -> None:
        clock = time.perf_counter
        while True:
            wait_s = max(0.0, self.due[0][0] - clock()) if self.due else -1
            for fd, event in self.epoll.poll(wait_s):
                if fd == self.listener.fileno():
                    self._accept()
                elif event & select.EPOLLOUT:
                    self._send(self.open[fd], b"")
                else:
                    self._receive(self.open[fd])
            now = clock()
            while self.due and self.due[0][0] <= now:
                self._say(*heapq.heappop(self.due))

    def _accept(self) -> None:
        for _ in range(256):
            try:
                sock, _ = self.listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.open[sock.fileno()] = Connection(sock)
            self.epoll.register(sock, select.EPOLLIN)

    def _receive(self, connection: Connection) -> None:
        try:
            data = connection.sock.recv(262_144)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(connection)
            return
        connection.buffer = connection.buffer + data if connection.buffer else data
        while connection.buffer and self._answer(connection):
            pass

    def _answer(self, connection: Connection) -> bool:
        """Answer one whole request at the front of the buffer; False when there is none yet."""
        buffer = connection.buffer
        end = buffer.find(b"\r\n\r\n") + 4
        if end < 4:
            return False
        length = LENGTH.search(buffer, 0, end)
        if length:
            stop = end + int(length[1])
        elif CHUNKED.search(buffer, 0, end):
            stop = buffer.find(b"0\r\n\r\n", end) + 5
            if stop < 5:
                return False
        else:
            stop = end
        if len(buffer) < stop:
            return False
        connection.buffer = buffer[stop:]
        self._reply(connection, buffer, end, stop)
        return True

    def _reply(self, connection: Connection, data: bytes, start: int, stop: int) -> None:
        path = data[data.find(b" ") + 1 : data.find(b" HTTP/", 0, 200)]
        if path not in (b"/api/chat", b"/api/generate"):
            texts = data.count(b"text ", start, stop)
            self._send(connection, embedded(max(1, texts)) if path == b"/api/embed" else listed(path))
            return
        connection.is_chat = path == b"/api/chat"
        plan = PLAN.search(data, start, stop)
        pieces, gap_ms = (int(plan[1]), int(plan[2])) if plan else (8, 0)
        if gap_ms:
            self._send(connection, STREAM_HEAD)
            connection.pieces = connection.left = pieces
            self._later(connection, gap_ms / 1000)
        elif PLAIN.search(data, start, stop):
            self._send(connection, plain(connection.is_chat, pieces))
        else:
            self._pour(connection, pieces)

    def _pour(self, connection: Connection, pieces: int) -> None:
        """All pieces without a pause, but one write for each, as Ollama flushes them."""
        self._send(connection, STREAM_HEAD)
        for _ in range(pieces):
            self._send(connection, piece(connection.is_chat))
        self._send(connection, ending(connection.is_chat, pieces))

    def _later(self, connection: Connection, gap_s: float, after: float | None = None) -> None:
        self.number += 1
        base = time.perf_counter() if after is None else after
        heapq.heappush(self.due, (base + gap_s, self.number, connection, gap_s))

    def _say(self, due: float, _number: int, connection: Connection, gap_s: float) -> None:
        if connection.left == 0:
            return
        connection.left -= 1
        if connection.left:
            self._send(connection, piece(connection.is_chat))
            self._later(connection, gap_s, due)
        else:
            self._send(connection, piece(connection.is_chat) + ending(connection.is_chat, connection.pieces))

    def _send(self, connection: Connection, data: bytes) -> None:
        if connection.sock.fileno() < 0:
            return
        data = connection.unsent + data if connection.unsent else data
        try:
            sent = connection.sock.send(data) if data else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(connection)
            return
        was_waiting = bool(connection.unsent)
        connection.unsent = data[sent:]
        if bool(connection.unsent) != was_waiting:
            more = select.EPOLLOUT if connection.unsent else 0
            self.epoll.modify(connection.sock, select.EPOLLIN | more)

    def _close(self, connection: Connection) -> None:
        if self.open.pop(connection.sock.fileno(), None) is not None:
            self.epoll.unregister(connection.sock)
            connection.left = 0
            connection.sock.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    upstream = Upstream(parser.parse_args().port)
    print(upstream.port, flush=True)
    upstream.run()


if __name__ == "__main__":
    main()
