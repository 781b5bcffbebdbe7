"""How a request is to be answered instead of plainly: chosen by markers in the prompt, by name, or by queue."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field, fields, replace
from typing import Any

from .answers import MARKER

FAULTS = {"ok", "refuse", "accept_no_reply", "fin_no_reply", "headers_then_stall", "rst_at_chunk"}
FAULTS |= {"fin_at_chunk", "stall_at_chunk", "clean_end_no_done", "half_line", "error_line", "garbage_chunk"}
FAULTS |= {"garbage_line", "slice_1_byte", "1_byte_per_s", "silent", "503_busy", "500_html"}
FAULTS |= {
    "500_died",
    "404_missing",
    "400_overflow",
    "400_no_tools",
    "huge_line",
    "wrong_usage",
    "never_ends",
    "drop_after_reply",
}
WRONG_USAGE = {"-1": -1, "null": None, "10^12": 10**12, "string": "many"}


@dataclass(frozen=True)
class Script:
    """See the table in `tests/support/README.md`. Seconds end in `_s`; None leaves the plain answer as it is."""

    fault: str = "ok"
    args: tuple[str, ...] = ()
    tag: str | None = None
    first_s: float = 0.0
    pace_s: float = 0.0
    load_s: float = 0.0
    tokens: int | None = None
    text: str | None = None
    thinking: str | None = None
    calls: list[dict[str, Any]] | None = None
    calls_at: str = "early"
    call_ids: bool = True
    equal_indexes: bool = False
    counters: bool = True
    usage: dict[str, Any] | None = None
    cached: int | None = None
    lines: list[Any] | None = None
    lines_per_write: int = 1
    write_sizes: tuple[int, ...] = ()
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    hold: str | None = None
    hold_at: int = 0

    def argument(self, default: float) -> float:
        return float(self.args[0]) if self.args and self.args[0] else default

    def counters_said(self, counted: dict[str, Any]) -> dict[str, Any]:
        """The counters of the last line; zeros are left out, as Go's `omitempty` does."""
        said = {name: value for name, value in counted.items() if value} if self.counters else {}
        if self.fault == "wrong_usage":
            value = WRONG_USAGE[self.args[0] if self.args else "-1"]
            said |= {"prompt_eval_count": value, "eval_count": value}
        if self.cached is not None:
            said["prompt_eval_cached_count"] = self.cached
        said |= self.usage or {}
        return {name: value for name, value in said.items() if value != "absent"}


def from_json(row: dict[str, Any], base: Script | None = None) -> Script:
    """A script from plain values: `{"fault": "rst_at_chunk:3", "pace_s": 0.01}`. Unknown names are an error."""
    row = dict(row)
    known = {f.name for f in fields(Script)}
    if unknown := set(row) - known:
        raise ValueError(f"no such script field: {sorted(unknown)}")
    if "fault" in row:
        name, *args = str(row["fault"]).split(":")
        if name not in FAULTS:
            raise ValueError(f"no such fault: {name}")
        row["fault"] = name
        row["args"] = tuple(str(arg) for arg in row.get("args", args))
    if "write_sizes" in row:
        row["write_sizes"] = tuple(row["write_sizes"])
    return replace(base or Script(), **row)


@dataclass
class Book:
    """Scripts by name, a queue for the next requests, and one for every request that has nothing else."""

    named: dict[str, Script] = field(default_factory=dict)
    queued: deque[Script] = field(default_factory=deque)
    always: Script = field(default_factory=Script)

    def choose(self, body: Any) -> Script:
        """The markers in the prompt win over the queue; a marked request leaves the queue alone."""
        markers = list(MARKER.finditer(_prompt(body)))
        if markers:
            return self._marked([(m[1], m[2] or "") for m in markers])
        return self.queued.popleft() if self.queued else self.always

    def _marked(self, markers: list[tuple[str, str]]) -> Script:
        base, row = Script(), {}
        for name, value in markers:
            if name == "script":
                base = self.named[value]
            elif name == "pace":
                row["pace_s"] = float(value)
            elif name == "first":
                row["first_s"] = float(value)
            elif name == "write_sizes":
                row["write_sizes"] = [int(size) for size in value.split(",")]
            elif name in ("fault", "tag", "text", "thinking", "hold", "calls_at"):
                row[name] = value
            else:
                row[name] = json.loads(value) if value else True
        return from_json(row, base)


def _prompt(body: Any) -> str:
    """The text in which markers count: system messages, the last user message, and the last message of all."""
    if not isinstance(body, dict):
        return ""
    texts = [body.get("system"), body.get("prompt"), body.get("input")]
    messages = [m for m in body.get("messages") or [] if isinstance(m, dict)] if _is_list(body.get("messages")) else []
    users = [m for m in messages if m.get("role") == "user"][-1:]
    chosen = [m for m in messages if m.get("role") == "system"] + users
    chosen += [m for m in messages[-1:] if not any(m is other for other in chosen)]
    texts += [m.get("content") for m in chosen]
    flat = [part for text in texts for part in (text if _is_list(text) else [text])]
    return "\n".join(text for text in flat if isinstance(text, str))


def _is_list(value: Any) -> bool:
    return isinstance(value, list)
