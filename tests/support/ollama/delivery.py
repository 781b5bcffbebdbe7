"""Writing an answer to the socket, with the scripted pace and faults, and noting what has left."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gevent
from gevent import socket
from gevent.event import Event

from . import http
from .lines import Line
from .records import Record
from .scripts import Script

FAILED = "an error was encountered while running the model"
# How long bytes may travel before a reset that would otherwise overtake them.
SETTLE_S = 0.02
STOPPING = {"rst_at_chunk", "fin_at_chunk", "stall_at_chunk", "clean_end_no_done", "half_line"}
STOPPING |= {"error_line", "garbage_chunk"}


class Closed(Exception):
    """The script wants the connection gone: with a reset, or (`fin`) an orderly close."""

    def __init__(self, reset: bool) -> None:
        super().__init__("reset" if reset else "fin")
        self.reset = reset


class Delivery:
    """One answer on one connection. `gate` gives the event that a held script waits for."""

    def __init__(self, sock: socket.socket, record: Record, script: Script, gate: Callable[[str], Event]) -> None:
        self.sock, self.record, self.script, self.gate = sock, record, script, gate
        self._pending: list[tuple[bytes, Line | None]] = []

    def before(self) -> None:
        """What happens between the request and the first byte."""
        fault = self.script.fault
        if fault == "refuse":
            raise Closed(reset=True)
        if fault == "fin_no_reply":
            raise Closed(reset=False)
        if fault == "accept_no_reply":
            forever()
        pause(self.script.first_s + (self.script.argument(5) if fault == "silent" and len(self.script.args) < 2 else 0))
        if fault == "headers_then_stall":
            self.start()
            forever()

    def start(self) -> None:
        self.record.status = 200
        self.send(http.head(200, {"Content-Type": http.NDJSON, "Transfer-Encoding": "chunked"}))

    def whole(
        self, status: int, body: Any, content_type: str = http.JSON, headers: dict[str, str] | None = None
    ) -> None:
        """An answer in one piece; faults that stop a stream cut it in the middle."""
        self.record.status = status
        data = http.whole(status, body, content_type, headers)
        fault = self.script.fault
        if fault in ("rst_at_chunk", "fin_at_chunk", "stall_at_chunk") and status == 200:
            self.send(data[: len(data) - len(http.encode(body)) // 2])
            self._stop(fault)
        elif fault in ("half_line", "garbage_line") and status == 200:
            encoded = http.encode(body)
            self.send(http.whole(status, encoded[: len(encoded) // 2] if fault == "half_line" else b"<<not json>>"))
        elif fault == "garbage_chunk" and status == 200:
            self.send(http.head(200, {"Content-Type": http.JSON, "Transfer-Encoding": "chunked"}) + b"zz\r\nnot hex")
            raise Closed(reset=False)
        else:
            self.send(data)

    def stream(self, lines: Iterable[Line]) -> None:
        """The lines as chunks, then the end; or the fault at its place."""
        fault = self.script.fault
        place = int(self.script.argument(1)) if fault in STOPPING else -1
        for number, line in enumerate(self._begun(lines)):
            if number == place or (line.is_done and fault in STOPPING):
                self._stop(fault, line)
                return
            if number == self.script.hold_at and self.script.hold:
                self._flush()
                self.gate(self.script.hold).wait()
            if fault == "silent" and len(self.script.args) > 1 and number == int(self.script.args[1]):
                self._flush()
                pause(self.script.argument(5))
            if fault == "garbage_line" and number == int(self.script.argument(1)):
                self._put(b"<<not json>>\n", None)
            self._put(line.data, line)
        self._flush()
        self._end()

    def _begun(self, lines: Iterable[Line]) -> Iterator[Line]:
        for number, line in enumerate(lines):
            if line.wait_s:
                self._flush()
                pause(line.wait_s)
            if number == 0:
                self.start()
            yield line

    def _put(self, data: bytes, line: Line | None) -> None:
        self._pending.append((data, line))
        if len(self._pending) >= self.script.lines_per_write and not self.script.write_sizes:
            self._flush()

    def _flush(self) -> None:
        """Write what is pending: as one chunk, or cut at the script's sizes, whatever lines that splits."""
        data = b"".join(part for part, _ in self._pending)
        if not data:
            return
        for part in self._cut(data):
            self._chunk(part)
        for _, line in self._pending:
            self._credit(line)
        self._pending.clear()

    def _cut(self, data: bytes) -> Iterator[bytes]:
        sizes, turn = self.script.write_sizes or (len(data),), 0
        while data:
            size = sizes[turn % len(sizes)]
            yield data[:size]
            data, turn = data[size:], turn + 1
            if data:
                pause(0.001)

    def _chunk(self, data: bytes) -> None:
        if self.script.fault != "1_byte_per_s":
            self.send(http.chunk(data))
            return
        for index in range(len(data)):
            self.send(http.chunk(data[index : index + 1]))
            pause(self.script.argument(1))

    def _credit(self, line: Line | None) -> None:
        if line is None:
            return
        record = self.record
        record.lines += 1
        record.pieces += bool(line.content) + bool(line.thinking)
        record.content += line.content
        record.thinking += line.thinking
        record.tool_calls += line.calls
        record.is_done_sent = record.is_done_sent or line.is_done

    def _stop(self, fault: str, line: Line | None = None) -> None:
        if line is not None:
            self._flush()
        if fault == "rst_at_chunk":
            pause(SETTLE_S)
            raise Closed(reset=True)
        if fault == "fin_at_chunk":
            raise Closed(reset=False)
        if fault == "stall_at_chunk":
            forever()
        if fault == "garbage_chunk":
            self.send(b"zz\r\nthis is no chunk\r\n")
            raise Closed(reset=False)
        if fault == "half_line" and line is not None:
            self.send(http.chunk(line.data[: len(line.data) // 2]))
        if fault == "error_line":
            said = (
                self.script.args[1] if len(self.script.args) > 1 else "an error was encountered while running the model"
            )
            self.send(http.chunk(http.encode({"error": said}) + b"\n"))
        self._end()

    def _end(self) -> None:
        self.send(b"0\r\n\r\n")

    def send(self, data: bytes) -> None:
        if self.record.first_byte_at is None:
            self.record.first_byte_at = time.time()
        if self.script.fault == "slice_1_byte":
            for index in range(len(data)):
                self.sock.sendall(data[index : index + 1])
                gevent.sleep(0)
        else:
            self.sock.sendall(data)
        self.record.bytes += len(data)


def pause(seconds: float) -> None:
    if seconds > 0:
        gevent.sleep(seconds)


def forever() -> None:
    """Wait until the client has left; the connection's watcher ends this."""
    Event().wait()


def reset(sock: socket.socket) -> None:
    """Close so that the peer sees a reset, not an end."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
