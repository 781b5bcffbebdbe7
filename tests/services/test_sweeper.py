"""What happens behind requests: dead workers' rows are settled, and a store that was away is caught up with."""

import time

import pytest
from sqlalchemy import event

from llmrack.errors import Unavailable
from llmrack.services.metering import Meter, Settlement
from llmrack.services.sweeper import Sweeper
from llmrack.store.db import Store
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
    sweeper = Sweeper(Meter(desk.store, clock=desk.clock, owner="another-worker"), interval_s=0.05)
    sweeper.start()
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
    sweeper = Sweeper(desk.meter, interval_s=0.02)
    with Outage(desk.store):
        sweeper.start()
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
