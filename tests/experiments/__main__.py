"""Runs experiments at full size and prints their figures: `script/experiments [NAME ...]`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.support.databases import shared_postgresql

from . import (
    deaths,
    handovers,
    money,
    outages,
    revocations,
    schema_costs,
    slow_clients,
    tries,
    upstream,
    windows,
)
from .rig import Bench, Figures, bench

# By name: how many workers, which settings, and the experiment.
SERVED: dict[str, tuple[int, dict[str, Any], Callable[[Bench], Figures]]] = {
    "requests-memory": (1, {}, partial(windows.requests_per_minute, for_s=130)),
    "requests-redis": (2, {}, partial(windows.requests_per_minute, for_s=130)),
    "budget-sqlite": (1, {}, windows.budget),
    "budget-postgresql": (2, {}, windows.budget),
    "budget-gateways": (2, {"gateways": 2}, windows.budget),
    "levels-sqlite": (1, {}, windows.at_every_level),
    "levels-gateways": (2, {"gateways": 2}, windows.at_every_level),
    "levels-kill": (2, {}, windows.after_a_kill),
    "credits-sqlite": (1, {}, money.credits_left),
    "credits-postgresql": (2, {}, money.credits_left),
    "credits-gateways": (2, {"gateways": 2}, money.credits_left),
    "monthly-limit-sqlite": (1, {}, money.monthly_limit),
    "monthly-limit-postgresql": (2, {}, money.monthly_limit),
    "monthly-limit-gateways": (2, {"gateways": 2}, money.monthly_limit),
    "kill-growing": (2, {}, deaths.kill_growing),
    "kill-worker": (2, {}, deaths.kill_worker),
    "upstream-resets": (1, {}, upstream.resets),
    "client-leaves": (1, {}, upstream.leaving),
    "postgresql-killed": (2, {}, partial(outages.postgresql, how="kill")),
    "postgresql-stopped": (2, {}, partial(outages.postgresql, how="stop")),
    "redis-killed": (2, {}, partial(outages.redis, how="kill")),
    "redis-stopped": (2, {}, partial(outages.redis, how="stop")),
    "server-term": (2, {"graceful_timeout_s": 9}, partial(deaths.stop_server, how=signal.SIGTERM)),
    "server-hup": (2, {"graceful_timeout_s": 9}, partial(deaths.stop_server, how=signal.SIGHUP)),
    "handover-hup-sqlite": (1, {"graceful_timeout_s": 9}, partial(handovers.replace, how="HUP", times=5)),
    "handover-hup-postgresql": (2, {"graceful_timeout_s": 9}, partial(handovers.replace, how="HUP", times=5)),
    "handover-kill-sqlite": (1, {"graceful_timeout_s": 9}, partial(handovers.replace, how="kill", times=5)),
    "handover-kill-postgresql": (2, {"graceful_timeout_s": 9}, partial(handovers.replace, how="kill", times=5)),
    "changes": (2, {}, revocations.changes),
    "security-slow-clients": (
        1,
        {"body_timeout_s": 8, "write_timeout_s": 8, "connections_per_address": 0},
        slow_clients.crowd,
    ),
    "security-tries-sqlite": (1, {}, tries.at_once),
    "security-tries-postgresql": (2, {}, tries.at_once),
    "security-schemas": (1, {}, schema_costs.served_bombs),
}
# By name: those that need no server.
ALONE: dict[str, Callable[[], Figures]] = {
    "security-schema-stopwatch": schema_costs.stopwatch,
}
# By name: the program, on which database, how often.
PROGRAMS = {
    "crashes-sqlite": ("crashes", "sqlite", 20),
    "crashes-postgresql": ("crashes", "postgresql", 20),
    "kills-postgresql": ("kills", "postgresql", 5000),
    "kills-sqlite": ("kills", "sqlite", 5000),
}


def program(name: str, database: str, count: int) -> Figures:
    """One of the experiments that need a process of their own. Fails with what it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/experiment.db" if database == "sqlite" else shared_postgresql().create()
        command = [sys.executable, "-m", f"tests.experiments.{name}", url, str(count)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    figures: Figures = json.loads(done.stdout)
    return figures


def served(name: str) -> Figures:
    workers, settings, experiment = SERVED[name]
    with bench(workers, **settings) as rig:
        return experiment(rig)


def run(name: str) -> Figures:
    if name in ALONE:
        return ALONE[name]()
    return served(name) if name in SERVED else program(*PROGRAMS[name])


def main(asked: list[str]) -> int:
    """Runs what is asked for: a name, or the first word of several, such as `security`."""
    known = [*SERVED, *PROGRAMS, *ALONE]
    names = [name for name in known if not asked or name in asked or name.partition("-")[0] in asked]
    unknown = {word for word in asked if not any(word in (name, name.partition("-")[0]) for name in known)}
    if unknown:
        print(f"There is no {', '.join(sorted(unknown))}. Choose from: {', '.join(known)}")
        return 2
    failed = 0
    for name in names:
        started = time.monotonic()
        figures: Figures = {}
        try:
            figures, verdict = run(name), "pass"
        except Exception:
            traceback.print_exc()
            verdict, failed = "FAIL", failed + 1
        said = ", ".join(f"{noun}: {value}" for noun, value in figures.items())
        print(f"{verdict}  {name} ({time.monotonic() - started:.0f} s)  {said}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
