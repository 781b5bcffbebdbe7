"""A process that dies after each statement of the meter. Run as a program: it forks, which wants a single thread.

`python -m tests.experiments.crashes URL TIMES` prints {"points": ..., "runs": ...} or fails.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from llmrack.metering.meter import Grant, Meter, Settlement
from llmrack.money import nanousd
from llmrack.store.database import Store, Transaction
from llmrack.store.tables.base import Base
from llmrack.store.tables.usage import Usage
from tests.support import made
from tests.support.stores import Clock, Desk, opened


class Dying(Transaction):
    """Dies after its n-th statement; 0 is before the first."""

    __slots__ = ("left",)

    def _execute(self, statement: Any, values: Any) -> Any:
        _die_at_zero(self.left)
        self.left -= 1
        return super()._execute(statement, values)


class DyingStore(Store):
    """Its transactions die after the statement `point`; one further is before the commit, and two after it."""

    point = 0

    def _on(self, connection: Any) -> Transaction:
        tx = Dying(connection, self.dialect)
        tx.left = self.point
        return tx

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with super().transaction() as tx:
            yield tx
            _die_at_zero(tx.left)
        _die_at_zero(tx.left - 1)


def _die_at_zero(left: int) -> None:
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)


def run(url: str, times: int) -> dict[str, Any]:
    with opened(url) as store:
        Base.metadata.create_all(store.engine)
        desk = Desk(store, Meter(store, clock=Clock(), owner="parent"), Clock())
        caller = desk.caller("payg")
        made.credit(store, "ada", nanousd("100"))
        # The first request of a day takes one statement more than the others.
        desk.spend(caller, 1, 1)
        points = {}
        for operation in ("admit", "grow", "checkpoint", "settle"):
            point = 0
            while not _survives(url, store, desk, caller, operation, point):
                for _ in range(times - 1):
                    assert not _survives(url, store, desk, caller, operation, point)
                point += 1
            points[operation] = point
        desk.check_sums()
        assert {row.state for row in _rows(desk)} == {"settled"}
    return {"points": points, "runs": times * sum(points.values()), "lost": 0, "double": 0}


def _rows(desk: Desk) -> list[Any]:
    with desk.store.read() as connection:
        return list(connection.execute(select(Usage.__table__)))


def _survives(url: str, store: Store, desk: Desk, caller: Any, operation: str, point: int) -> bool:
    """Run one operation that dies at `point`, then recover as another worker would; whether it lived through it."""
    admission = desk.admission(caller, 10, 50)
    if operation != "admit":
        desk.meter.admit(admission)
    store.engine.dispose()
    pid = os.fork()
    if pid == 0:
        _child(url, operation, point, admission)
    _, status = os.waitpid(pid, 0)
    _recover(desk, operation, admission.request_id, has_died=os.WIFSIGNALED(status))
    return not os.WIFSIGNALED(status)


def _child(url: str, operation: str, point: int, admission: Any) -> None:
    code = 1
    try:
        with opened(url) as plain:
            dying = DyingStore(plain.engine)
            dying.point = point
            work: dict[str, Callable[[Meter], object]] = {
                "admit": lambda meter: meter.admit(admission),
                "grow": lambda meter: meter.grow(admission, Grant(50, None), 10, 90),
                "checkpoint": lambda meter: meter.checkpoint(admission.request_id, 10, 20),
                "settle": lambda meter: meter.settle(admission.request_id, Settlement("completed", 10, 30)),
            }
            work[operation](Meter(dying, clock=Clock(), owner="child"))
            code = 0
    finally:
        os._exit(code)


def _recover(desk: Desk, operation: str, request_id: str, *, has_died: bool) -> None:
    """Sweep twice as another worker would when the lease is over, and compare every sum."""
    later = Clock()
    later.now += timedelta(seconds=30)
    sweeper = Meter(desk.store, clock=later, owner="sweeper")
    sweeper.sweep()
    assert sweeper.sweep() == 0
    desk.meter._open.clear()
    desk.check_sums()
    found = {row.request_id: row for row in _rows(desk)}.get(request_id)
    if found is None:
        assert operation == "admit"
        assert has_died
        return
    assert found.state == "settled"
    assert (
        found.counted_completion_tokens
        in {"admit": (0,), "grow": (0,), "checkpoint": (0, 20), "settle": (0, 30)}[operation]
    )


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]))))
