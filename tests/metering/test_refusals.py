"""The log of refusals is bounded for each key and hour, exact in its counts, and forgets by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import func, select

from llmrack.keys.authentication import Caller
from llmrack.metering import refusals, reports
from llmrack.metering.refusals import KEPT_DAYS, LISTED_PER_HOUR, Refusals, Refused
from llmrack.metering.reports import Range
from llmrack.store.tables.base import microseconds
from llmrack.store.tables.usage import Refusal, RefusalHour
from server.background import Job, beat
from tests.server.test_background import Outage
from tests.support.stores import Desk

Make = Callable[[int], Refused]


def maker(desk: Desk, caller: Caller, name: str = "") -> Make:
    at = microseconds(desk.clock())

    def make(number: int) -> Refused:
        return Refused(
            f"req_{name}{caller.key_id}_{number}", caller.account_id, caller.key_id, caller.mode,
            "POST /v1/chat/completions", 400, "invalid_value", "temperature", at + number,
        )  # fmt: skip

    return make


def stored(desk: Desk) -> tuple[int, int]:
    """(rows that are listed, refusals that are counted)."""
    with desk.store.read() as connection:
        listed = connection.execute(select(func.count()).select_from(Refusal)).scalar_one()
        counted = connection.execute(select(func.coalesce(func.sum(RefusalHour.requests), 0))).scalar_one()
    return listed, int(counted)


def test_noting_writes_nothing_and_takes_no_time(desk: Desk) -> None:
    log, make = Refusals(), maker(desk, desk.caller())
    rows = [make(number) for number in range(10_000)]
    with Outage(desk.store):
        started = time.perf_counter()
        for row in rows:
            log.note(row)
        each_us = (time.perf_counter() - started) / len(rows) * 1e6
    print(f"noting a refusal takes {each_us:.1f} microseconds")
    assert each_us < 100
    assert stored(desk) == (0, 0)


def test_a_client_in_a_loop_gets_so_many_rows_an_hour_and_an_exact_count(desk: Desk) -> None:
    log, caller = Refusals(), desk.caller()
    make = maker(desk, caller)
    for batch in range(5):
        for number in range(40):
            log.note(make(batch * 40 + number))
        log.flush(desk.store)
    assert stored(desk) == (LISTED_PER_HOUR, 200)
    today = desk.clock().date()
    wanted = Range(caller.account_id, caller.mode, today, today)
    assert reports.unlisted_refusals(desk.store, wanted, desk.clock()) == 200 - LISTED_PER_HOUR
    assert reports.unlisted_refusals(desk.store, replace(wanted, mode="test"), desk.clock()) == 0
    desk.clock.forward(hours=1)
    log.note(maker(desk, caller, "later")(1))
    log.flush(desk.store)
    assert stored(desk) == (LISTED_PER_HOUR + 1, 201)


def test_each_key_has_its_own_bound(desk: Desk) -> None:
    log = Refusals()
    for make in (maker(desk, desk.caller()), maker(desk, desk.caller())):
        for number in range(100):
            log.note(make(number))
    log.flush(desk.store)
    assert stored(desk) == (2 * LISTED_PER_HOUR, 200)


def test_workers_that_write_at_the_same_moment_keep_one_bound(desk: Desk) -> None:
    caller = desk.caller()
    gate = threading.Barrier(4)

    def work(name: str) -> None:
        log, make = Refusals(), maker(desk, caller, name)
        for round_ in range(5):
            for number in range(30):
                log.note(make(round_ * 30 + number))
            gate.wait()
            log.flush(desk.store)

    workers = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert stored(desk) == (LISTED_PER_HOUR, 600)


def test_what_an_outage_keeps_from_being_written_is_written_after_it(desk: Desk) -> None:
    log, make = Refusals(), maker(desk, desk.caller())
    sweeper = Job("beat", 0.02, lambda: beat(desk.meter, lambda: log.flush(desk.store)))
    with Outage(desk.store):
        sweeper.start()
        for number in range(100):
            log.note(make(number))
            time.sleep(0.001)
    deadline = time.monotonic() + 5
    while stored(desk)[1] < 100:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    sweeper.stop()
    assert stored(desk) == (LISTED_PER_HOUR, 100)


def test_old_refusals_are_forgotten(desk: Desk) -> None:
    log, caller = Refusals(), desk.caller()
    for number in range(3):
        log.note(maker(desk, caller)(number))
    desk.clock.forward(days=KEPT_DAYS + 1)
    log.note(maker(desk, caller, "new")(1))
    log.flush(desk.store)
    refusals.forget(desk.store, desk.clock() - timedelta(days=KEPT_DAYS))
    assert stored(desk) == (1, 1)
