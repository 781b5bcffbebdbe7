"""What happens behind requests: dead workers' rows are settled, and a store that was away is caught up with."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from llmrack.errors import Unavailable
from llmrack.metering.meter import Meter, Settlement
from llmrack.store.clock import DatabaseClock
from llmrack.store.database import Store
from server.background import Job, beat
from tests.support.stores import Clock, Desk


class Outage:
    """`with Outage(store):` no connection can be had."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def _fail(self, *_: object) -> None:
        raise Unavailable("away", retry_after_s=1)

    def __enter__(self) -> None:
        event.listen(self._store.engine, "checkout", self._fail)

    def __exit__(self, *_: object) -> None:
        event.remove(self._store.engine, "checkout", self._fail)


def test_a_settlement_during_an_outage_is_booked_after_it(desk: Desk) -> None:
    request_id = desk.admit(desk.caller())
    with Outage(desk.store):
        desk.meter.checkpoint(request_id, 10, 2)
        desk.meter.settle(request_id, Settlement("completed", 10, 5))
        with pytest.raises(Unavailable):
            desk.meter.heartbeat()
    assert desk.row(request_id).state == "open"
    desk.meter.heartbeat()
    assert (desk.row(request_id).outcome, desk.row(request_id).completion_tokens) == ("completed", 5)
    desk.check_sums()


def test_a_settlement_keeps_the_time_at_which_it_happened(desk: Desk) -> None:
    request_id = desk.admit(desk.caller())
    happened_at = desk.clock()
    with Outage(desk.store):
        desk.meter.settle(request_id, Settlement("completed", 10, 5))
    desk.clock.forward(seconds=9)
    desk.meter.heartbeat()
    assert desk.row(request_id).settled_at == happened_at


def test_nothing_is_swept_until_everybody_could_renew_after_an_outage(desk: Desk, clock: Clock) -> None:
    desk.admit(desk.caller())
    other = Meter(desk.store, clock=clock, owner="another-worker")
    with Outage(desk.store), pytest.raises(Unavailable):
        other.sweep()
    clock.forward(seconds=19.5)
    assert other.sweep() == 0
    desk.meter.heartbeat()
    clock.forward(seconds=1)
    assert other.sweep() == 0
    clock.forward(seconds=25)
    assert other.sweep() == 1


def test_a_killed_settlement_is_booked_by_the_next_beat(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    request_id = desk.admit(desk.caller())

    def killed(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(desk.store, "transaction", killed)
        with pytest.raises(SystemExit):
            desk.meter.settle(request_id, Settlement("client_gone", 10, 5))
    desk.meter.heartbeat()
    assert desk.row(request_id).outcome == "client_gone"


def test_the_sweeper_beats_at_its_start_and_then_on_its_timer(desk: Desk) -> None:
    request_id = desk.admit(desk.caller())
    desk.clock.forward(seconds=21)
    other = Meter(desk.store, clock=desk.clock, owner="another-worker")
    sweeper = Job("beat", 0.05, lambda: beat(other)).start()
    deadline = time.monotonic() + 5
    while desk.row(request_id).state == "open":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    second = desk.admit(desk.caller())
    desk.clock.forward(seconds=21)
    while desk.row(second).state == "open":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    sweeper.stop()


def test_the_sweeper_outlives_an_outage(desk: Desk) -> None:
    request_id = desk.admit(desk.caller())
    with Outage(desk.store):
        sweeper = Job("beat", 0.02, lambda: beat(desk.meter)).start()
        desk.meter.settle(request_id, Settlement("completed", 10, 5))
        time.sleep(0.1)
    deadline = time.monotonic() + 5
    while desk.row(request_id).state == "open":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    sweeper.stop()


def test_a_beat_does_not_mind_what_is_booked_while_it_works(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = desk.admit(desk.caller()), desk.admit(desk.caller())
    with Outage(desk.store):
        for request_id in (first, second):
            desk.meter.settle(request_id, Settlement("completed", 10, 5))
    book = desk.meter._book

    def book_both(request_id: str) -> None:
        book(request_id)
        book(second)

    monkeypatch.setattr(desk.meter, "_book", book_both)
    desk.meter.heartbeat()
    assert {desk.row(request_id).state for request_id in (first, second)} == {"settled"}
    desk.check_sums()


def test_a_host_whose_clock_is_ahead_leaves_live_requests_of_others_alone(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    right = Desk(store, Meter(store, owner="right", lease_clock=DatabaseClock(store)), Clock())
    for seconds in (30, -30):
        shift = timedelta(seconds=seconds)
        wrong = Meter(
            store, clock=lambda shift=shift: datetime.now(UTC) + shift, owner="wrong", lease_clock=DatabaseClock(store)
        )
        mine = right.admit(right.caller("business"))
        admission = right.admission(right.caller("business"), request_id=f"req_{seconds}")
        wrong.admit(admission)
        assert (wrong.sweep(), right.meter.sweep()) == (0, 0)
        assert {right.row(request_id).state for request_id in (mine, admission.request_id)} == {"open"}


def test_leases_follow_the_database_while_this_hosts_clock_is_set(store: Store) -> None:
    elapsed_s = 1000.0
    clock = DatabaseClock(store, elapsed_s=lambda: elapsed_s)
    began = clock()
    assert abs(began / 1e6 - time.time()) < 2
    elapsed_s += 7.5
    assert clock() - began == 7_500_000
    elapsed_s += 60
    clock.synchronise()
    # The database says that no minute has passed.
    assert clock() - began < 5_000_000


def test_a_host_that_is_off_by_more_than_two_seconds_is_named_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if store.dialect == "sqlite":
        pytest.skip("SQLite has the clock of its host")
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 30)
    clock = DatabaseClock(store)
    for _ in range(3):
        clock.synchronise()
    assert [record.getMessage()[:41] for record in caplog.records if "clock" in record.getMessage()] == [
        "this host's clock is 30.0 s behind the da"
    ]
