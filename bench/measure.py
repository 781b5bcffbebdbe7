"""One measurement: the load generator against a target, and the target's processor time over the same time."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from tests.support.servers import ROOT

from .targets import Target

Row = dict[str, Any]


@dataclass(frozen=True)
class Scale:
    """How long and how much: `seconds` for each figure, `held` streams for the one that holds them, `many` requests."""

    seconds: float = 2.0
    held: int = 2000
    held_s: float = 6.0
    pieces: int = 100
    paced_s: float = 3.0
    many: int = 100_000


def start(target: Target, **job: Any) -> subprocess.Popen[str]:
    """The load generator on this job, in a process of its own."""
    command = [sys.executable, "-m", "bench.load"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    with process.stdin as stdin:
        json.dump(job | {"host": "127.0.0.1", "port": target.port}, stdin)
    return process


def finish(process: subprocess.Popen[str], target: Target) -> Row:
    assert process.stdout is not None
    with process.stdout as stdout:
        said = stdout.read()
    if process.wait(60):
        raise RuntimeError(f"the load generator failed against {target.name}:\n{target.logs()}")
    return json.loads(said)


def load(target: Target, **job: Any) -> Row:
    """One run, with `cpu_s` the target used meanwhile."""
    before = target.cpu_s()
    run = finish(start(target, **job), target)
    return run | {"cpu_s": target.cpu_s() - before}


def closed(target: Target, request: str, scale: Scale, connections: int = 32, **more: Any) -> Row:
    return load(target, kind="closed", request=request, connections=connections, seconds=scale.seconds, **more)


def per_request(run: Row, status: int) -> Row:
    return {
        "per_s": run["per_s"],
        "cpu_ms": 1000 * run["cpu_s"] / max(1, run["answers"]) if run["cpu_s"] else None,
        "p50_ms": at(run, "latency_ms", "p50"),
        "p99_ms": at(run, "latency_ms", "p99"),
        "answers": run["answers"],
    } | flaws(run, status)


def in_pieces(run: Row) -> Row:
    cpu_s = run["cpu_s"]
    return {
        "pieces_per_s": run["pieces_per_s"],
        "pieces_per_cpu_s": run["pieces"] / cpu_s if cpu_s else None,
        "cpu_us_per_piece": 1e6 * cpu_s / max(1, run["pieces"]) if cpu_s else None,
        "pieces": run["pieces"],
        "answers": run["answers"],
    } | flaws(run, 200)


def flaws(run: Row, status: int) -> Row:
    """How many answers had another status, were cut short or lacked pieces, and what one of them looked like."""
    odd = {code: count for code, count in run["statuses"].items() if code != str(status)}
    samples = {code: text for code, text in run["samples"].items() if code in odd}
    return {"wrong": sum(run["errors"].values()) + sum(odd.values()), "errors": run["errors"] | odd, "samples": samples}


def at(run: Row, spread: str, place: str) -> float | None:
    return run[spread][place] if run[spread] else None
