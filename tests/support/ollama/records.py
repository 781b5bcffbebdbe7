"""What came in and what went out: the truth that billing and disconnect tests compare with."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Record:
    """One request. `pieces`, `content` and `thinking` count only lines whose last byte was handed to the kernel.

    `outcome` is running, complete, fault, refused (a status above 399), or client_left. Times are seconds since the
    epoch. `counted` is what the last line says, or would have said, of the tokens.
    """

    id: int
    connection: int
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    started_at: float = field(default_factory=time.time)
    tag: str | None = None
    fault: str = "ok"
    status: int | None = None
    pieces: int = 0
    content: str = ""
    thinking: str = ""
    tool_calls: int = 0
    lines: int = 0
    bytes: int = 0
    is_done_sent: bool = False
    counted: dict[str, Any] = field(default_factory=dict)
    outcome: str = "running"
    first_byte_at: float | None = None
    client_left_at: float | None = None
    ended_at: float | None = None

    def end(self, outcome: str) -> None:
        if self.outcome == "running":
            self.outcome = outcome
            self.ended_at = time.time()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Ledger:
    """Counts for the whole server; `requests` holds the newest 5,000."""

    requests: deque[Record] = field(default_factory=lambda: deque(maxlen=5_000))
    requests_total: int = 0
    connections_total: int = 0
    connections_open: int = 0
    connections_peak: int = 0
    in_flight: int = 0
    in_flight_peak: int = 0
    waiting: int = 0

    def open(self) -> int:
        self.connections_total += 1
        self.connections_open += 1
        self.connections_peak = max(self.connections_peak, self.connections_open)
        return self.connections_total

    def add(self, record: Record) -> None:
        self.requests_total += 1
        self.requests.append(record)

    def begin(self) -> None:
        self.in_flight += 1
        self.in_flight_peak = max(self.in_flight_peak, self.in_flight)

    def counts(self) -> dict[str, int]:
        return {name: value for name, value in vars(self).items() if name != "requests"}

    def reset(self) -> None:
        """Forget the past; what is open or running stays counted."""
        self.requests.clear()
        self.requests_total = self.connections_total = 0
        self.connections_peak, self.in_flight_peak = self.connections_open, self.in_flight
