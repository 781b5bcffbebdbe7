"""Figures that need servers of their own and are taken once: memory, many streams, two workers beside one."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from tests.support import databases

from . import overhead, streams
from .measure import Row, Scale, closed, per_request
from .targets import Target, llmrack, upstream

WORKER_ROUNDS = 3


def figures(folder: Path, names: list[str], scale: Scale) -> dict[str, Row]:
    """The figures of these names; what this machine has no servers for is left out."""
    found: dict[str, Row] = {}
    for name in names:
        with ExitStack() as stack:
            (folder / name).mkdir()
            row = FIGURES[name](stack, upstream(stack), folder / name, scale)
            if row is not None:
                found[name] = row
    return found


def rest(stack: ExitStack, port: int, folder: Path, scale: Scale) -> Row:
    """Master and worker after their first request, and what many streams add to that."""
    target = llmrack(stack, port, folder, "llmrack")
    warm = per_request(closed(target, target.request("bench:8:0 hi", stream=False), Scale(0.1), 1, pieces=8), 200)
    time.sleep(1.0)
    at_rest = target.rss_bytes() / 1e6
    held = streams.held(target, Scale(held=scale.held, held_s=scale.held_s))
    return held | {"rest_mb": at_rest, "wrong": held["wrong"] + warm["wrong"]}


def growth(stack: ExitStack, port: int, folder: Path, scale: Scale) -> Row:
    """Memory after many requests against memory after a hundredth of them."""
    target = llmrack(stack, port, folder, "llmrack")
    few = _serve(target, scale.many // 100)
    before = target.rss_bytes()
    many = _serve(target, scale.many - scale.many // 100)
    after = target.rss_bytes()
    return {
        "answers": few["answers"] + many["answers"],
        "wrong": few["wrong"] + many["wrong"],
        "errors": few["errors"] | many["errors"],
        "samples": few["samples"] | many["samples"],
        "mb_before": before / 1e6,
        "mb_after": after / 1e6,
        "growth": after / before,
    }


def _serve(target: Target, answers: int) -> Row:
    request = target.request("bench:8:0 hi", stream=False)
    row = per_request(closed(target, request, Scale(seconds=300), answers=answers, pieces=8), 200)
    time.sleep(1.0)
    return row


def workers(stack: ExitStack, port: int, folder: Path, scale: Scale) -> Row | None:
    """Two workers against one, both with PostgreSQL and Redis, 32 connections."""
    try:
        postgresql, redis = databases.shared_postgresql(), databases.shared_redis()
    except BaseException as missing:
        if type(missing).__name__ != "Skipped":
            raise
        return None
    both = {"redis_url": redis.url}
    targets = {
        count: llmrack(stack, port, folder, f"workers-{count}", workers=count, database_url=postgresql.create(), **both)
        for count in (1, 2)
    }
    rows: dict[int, list[Row]] = {1: [], 2: []}
    for _ in range(WORKER_ROUNDS):
        for count, target in targets.items():
            rows[count].append(overhead.plain(target, scale))
    return _compared(rows) | {"machine_speed_up": _machine_speed_up(scale.seconds)}


def _machine_speed_up(seconds: float) -> float:
    """How much more two processes that share nothing do here than one: what no two workers can pass."""
    return median(_turns(2, seconds) / _turns(1, seconds) for _ in range(WORKER_ROUNDS))


def _turns(processes: int, seconds: float) -> int:
    running = [
        subprocess.Popen([sys.executable, "-c", _BUSY, str(seconds)], stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    return sum(int(process.communicate()[0]) for process in running)


_BUSY = """
import sys, time
end, turns = time.monotonic() + float(sys.argv[1]), 0
while time.monotonic() < end:
    {str(number): [number] for number in range(2000)}
    turns += 1
print(turns)
"""


def _compared(rows: dict[int, list[Row]]) -> dict[str, Any]:
    flat = [row for found in rows.values() for row in found]
    pairs = list(zip(rows[1], rows[2], strict=True))
    return {
        "answers": sum(row["answers"] for row in flat),
        "wrong": sum(row["wrong"] for row in flat),
        "errors": {why: count for row in flat for why, count in row["errors"].items()},
        "samples": {status: text for row in flat for status, text in row["samples"].items()},
        "one_per_s": median(row["per_s"] for row in rows[1]),
        "two_per_s": median(row["per_s"] for row in rows[2]),
        "speed_up": median(two["per_s"] / one["per_s"] for one, two in pairs if one["per_s"]),
        # What two workers would do on cores of their own: load, model and databases have none left for them here.
        "cpu_speed_up": median(2 * one["cpu_ms"] / two["cpu_ms"] for one, two in pairs),
    }


FIGURES = {"rest": rest, "growth": growth, "workers": workers}
