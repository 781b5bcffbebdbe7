"""Just enough HTTP/1.1 over a plain socket to misbehave on purpose: requests read whole, answers written by hand."""

from __future__ import annotations

import http
import json
import time
from dataclasses import dataclass
from typing import Any

from gevent import socket

MAX_HEAD_BYTES = 65_536
NDJSON, JSON = "application/x-ndjson", "application/json; charset=utf-8"


class BadRequest(Exception):
    pass


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    keep_alive: bool

    @property
    def path(self) -> str:
        return self.target.split("?", 1)[0]


class Reader:
    """Reads one request after another from a connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = b""

    def next(self) -> Request | None:
        """The next request, or None when the client closed between two."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        start, *rows = head.decode("latin-1").split("\r\n")
        try:
            method, target, version = start.split(" ")
        except ValueError as error:
            raise BadRequest(start) from error
        headers = {name.strip().lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}
        if headers.get("expect", "").lower() == "100-continue":
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        wish = headers.get("connection", "").lower()
        stays = wish != "close" if version == "HTTP/1.1" else wish == "keep-alive"
        return Request(method, target, headers, self._body(headers), stays)

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            parts = []
            while size := int(self._line().split(b";")[0], 16):
                parts.append(self._exactly(size))
                self._line()
            while self._line():
                pass
            return b"".join(parts)
        return self._exactly(int(headers.get("content-length", "0")))

    def _until(self, end: bytes) -> bytes | None:
        while end not in self.buffer:
            if len(self.buffer) > MAX_HEAD_BYTES:
                raise BadRequest("head too large")
            if not self._more():
                return None
        found, _, self.buffer = self.buffer.partition(end)
        return found

    def _line(self) -> bytes:
        line = self._until(b"\r\n")
        if line is None:
            raise BadRequest("body cut short")
        return line

    def _exactly(self, size: int) -> bytes:
        parts, have = [self.buffer], len(self.buffer)
        while have < size:
            data = self.sock.recv(min(262_144, size - have))
            if not data:
                raise BadRequest("body cut short")
            parts.append(data)
            have += len(data)
        whole = b"".join(parts)
        self.buffer = whole[size:]
        return whole[:size]

    def _more(self) -> bool:
        data = self.sock.recv(65_536)
        self.buffer += data
        return bool(data)


def head(status: int, headers: dict[str, str]) -> bytes:
    rows = {"Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())} | headers
    phrase = http.HTTPStatus(status).phrase if status in http.HTTPStatus._value2member_map_ else "Status"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in rows.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def whole(status: int, body: Any, content_type: str = JSON, headers: dict[str, str] | None = None) -> bytes:
    """A complete answer. Like Go's server, one above 2 KB goes out in chunks, without a length."""
    data = body if isinstance(body, bytes) else encode(body)
    rows = {"Content-Type": content_type} | (headers or {})
    if len(data) <= 2048:
        return head(status, rows | {"Content-Length": str(len(data))}) + data
    return head(status, rows | {"Transfer-Encoding": "chunked"}) + chunk(data) + b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
