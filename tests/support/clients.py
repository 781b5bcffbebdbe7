"""Clients that behave badly: slow to send, slow to read, gone in the middle. Plain sockets, nothing retried."""

from __future__ import annotations

import json
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """A response as it came: `body` without its chunk framing; `is_whole` when length or framing say it ended."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_whole: bool

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[Any]:
        """The `data:` lines of an event stream, decoded; `[DONE]` stays a string."""
        rows = [line[6:] for line in self.body.decode().split("\n") if line.startswith("data: ")]
        return [row if row == "[DONE]" else json.loads(row) for row in rows]


class Client:
    """One connection. `receive_buffer_bytes` small makes a server that writes on meet a full window early."""

    def __init__(self, url: str, timeout_s: float = 10.0, receive_buffer_bytes: int | None = None) -> None:
        parts = urlsplit(url)
        self.host = f"{parts.hostname}:{parts.port}"
        self.sock = socket.socket()
        if receive_buffer_bytes is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.sock.settimeout(timeout_s)
        self.sock.connect((parts.hostname, parts.port))
        self.received = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def encode(self, path: str, body: Any = None, key: str = "", headers: dict[str, str] | None = None) -> bytes:
        """The bytes of a request: POST with the body as JSON (bytes go as they are), GET without one."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        rows = {"Host": self.host} | ({"Authorization": f"Bearer {key}"} if key else {})
        if body is not None:
            rows |= {"Content-Type": "application/json", "Content-Length": str(len(data))}
        lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in (rows | (headers or {})).items()]
        return "\r\n".join([*lines, "", ""]).encode() + data

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def ask(self, path: str, body: Any = None, key: str = "", headers: dict[str, str] | None = None) -> None:
        self.send(self.encode(path, body, key, headers))

    def send_slowly(self, data: bytes, piece_bytes: int = 1, pause_s: float = 0.05, for_s: float = 1e9) -> int:
        """The data in pieces with pauses, until all is sent, `for_s` is over, or the server hung up: bytes sent."""
        deadline, sent = time.monotonic() + for_s, 0
        while sent < len(data) and time.monotonic() < deadline:
            try:
                self.sock.sendall(data[sent : sent + piece_bytes])
            except (BrokenPipeError, ConnectionResetError):
                break
            sent += piece_bytes
            time.sleep(pause_s)
        return min(sent, len(data))

    def half_header(self, path: str = "/v1/chat/completions") -> None:
        """A request line and the start of a header, and never more."""
        self.send(f"POST {path} HTTP/1.1\r\nHost: {self.host}\r\nAuthoriz".encode())

    def read_until(self, marker: bytes, times: int = 1) -> bytes:
        """Everything received, once it holds the marker so many times; fails when the server ends before."""
        while self.received.count(marker) < times:
            part = self.sock.recv(65536)
            assert part, f"the connection ended before {marker!r} came {times} times: {self.received!r}"
            self.received += part
        return self.received

    def read_slowly(self, piece_bytes: int = 16, pause_s: float = 0.05, for_s: float = 1.0) -> bytes:
        """A little at a time, for so long or until the end."""
        deadline = time.monotonic() + for_s
        while time.monotonic() < deadline:
            part = self.sock.recv(piece_bytes)
            if not part:
                break
            self.received += part
            time.sleep(pause_s)
        return self.received

    def answer(self) -> Answer:
        """The one response, read to its end, wherever that comes."""
        try:
            while not (found := parse(self.received)) or not found.is_whole:
                part = self.sock.recv(65536)
                if not part:
                    break
                self.received += part
        except ConnectionResetError:
            pass
        found = parse(self.received)
        assert found is not None, f"no response: {self.received!r}"
        return found

    def leave(self, *, reset: bool = False) -> float:
        """Hang up, orderly or with a reset; returns when."""
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        return time.time()


def leave_at(url: str, moment: str, path: str, body: Any, key: str, *, reset: bool = False) -> tuple[bytes, float]:
    """Ask and hang up at a moment: `sent`, `head`, `piece:k` or `after:s`. What had come, and when it left."""
    client = Client(url)
    client.ask(path, body, key)
    name, _, argument = moment.partition(":")
    if name == "head":
        client.read_until(b"\r\n\r\n")
    elif name == "piece":
        client.read_until(b"data: ", int(argument))
    elif name == "after":
        client.sock.settimeout(0.01)
        deadline = time.monotonic() + float(argument)
        while time.monotonic() < deadline:
            try:
                client.received += client.sock.recv(65536)
            except TimeoutError:
                continue
    elif name != "sent":
        raise ValueError(f"no such moment: {moment}")
    return client.received, client.leave(reset=reset)


def parse(data: bytes) -> Answer | None:
    """The response in these bytes, None while its head is not complete."""
    head, found, rest = data.partition(b"\r\n\r\n")
    if not found:
        return None
    start, *rows = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}
    status = int(start.split(" ")[1])
    if headers.get("transfer-encoding") == "chunked":
        body, is_whole = _unchunked(rest)
        return Answer(status, headers, body, is_whole)
    length = int(headers.get("content-length", "-1"))
    return Answer(status, headers, rest[:length] if length >= 0 else rest, 0 <= length <= len(rest))


def _unchunked(data: bytes) -> tuple[bytes, bool]:
    body = b""
    while b"\r\n" in data:
        size_line, _, data = data.partition(b"\r\n")
        size = int(size_line.split(b";")[0], 16)
        if size == 0:
            return body, True
        body += data[:size]
        data = data[size + 2 :]
    return body, False
