"""Totals, receipts and pruning on real databases."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from llmrack.metering import usage
from llmrack.metering.meter import Settlement
from llmrack.metering.usage import UnequalSums
from llmrack.store.tables.usage import Usage, UsageDay
from tests.support.stores import NOON, Desk


def fill(desk: Desk, days: int = 3) -> int:
    """Requests of two keys on several days; returns the account."""
    first, second, test = desk.caller("business"), desk.caller("business"), desk.caller("business", mode="test")
    for _ in range(days):
        for caller in (first, second, test):
            desk.spend(caller, 100, 20)
            request_id = desk.admit(caller)
            desk.meter.settle(request_id, Settlement("upstream_error", 10, 0))
        desk.clock.forward(days=1)
    return first.account_id


def rows(desk: Desk) -> int:
    with desk.store.read() as connection:
        return connection.scalar(select(func.count()).select_from(Usage))


def test_usage_by_day_is_newest_first_and_of_one_mode(desk: Desk) -> None:
    account = fill(desk)
    found = usage.by_day(desk.store, account, "live", "2026-11-23", "2026-11-24")
    assert [(day.day, day.key_name, day.requests, day.prompt_tokens, day.completion_tokens) for day in found] == [
        (day, "k", 2, 100, 20) for day in ("2026-11-24", "2026-11-24", "2026-11-23", "2026-11-23")
    ]
    assert {day.cost_nanousd for day in found} == {120 * 40}
    (test,) = usage.by_day(desk.store, account, "test", "2026-11-22", "2026-11-22")
    assert (test.requests, test.cost_nanousd) == (2, 0)


def test_an_open_request_is_not_in_the_totals_yet(desk: Desk) -> None:
    caller = desk.caller()
    desk.admit(caller)
    assert usage.by_day(desk.store, caller.account_id, "live", "2026-11-22", "2026-11-22") == []


def test_pruning_removes_old_rows_and_changes_no_sum(desk: Desk) -> None:
    account = fill(desk)
    before = usage.by_day(desk.store, account, "live", "2026-01-01", "2027-01-01")
    assert usage.prune(desk.store, "2026-11-24", NOON, actor="tests", is_trial=True) == 12
    assert rows(desk) == 18
    assert [usage.prune(desk.store, "2026-11-24", NOON, actor="tests") for _ in range(2)] == [12, 0]
    assert rows(desk) == 6
    assert usage.by_day(desk.store, account, "live", "2026-01-01", "2027-01-01") == before


def test_pruning_leaves_open_rows(desk: Desk) -> None:
    request_id = desk.admit(desk.caller())
    assert usage.prune(desk.store, "2030-01-01", NOON, actor="tests") == 0
    desk.meter.settle(request_id, Settlement("completed", 10, 5))
    assert usage.prune(desk.store, "2030-01-01", NOON, actor="tests") == 1


def test_pruning_goes_on_where_it_was_stopped(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(desk, days=1)
    monkeypatch.setattr(usage, "PRUNE_AT_ONCE", 2)
    usage._remove(desk.store, "2026-11-22")
    assert rows(desk) == 4
    assert usage.prune(desk.store, "2026-11-23", NOON, actor="tests") == 4
    assert rows(desk) == 0


def test_a_day_whose_rows_do_not_add_up_is_left_alone(desk: Desk) -> None:
    fill(desk)
    with desk.store.write() as connection:
        wrong = update(UsageDay).where(UsageDay.day == "2026-11-23", UsageDay.mode == "live")
        connection.execute(wrong.values(prompt_tokens=UsageDay.prompt_tokens + 1))
    with pytest.raises(UnequalSums, match="The rows of 2026-11-23 for account 1"):
        usage.prune(desk.store, "2026-11-25", NOON, actor="tests")
    assert rows(desk) == 12


def test_a_receipt_belongs_to_its_account_and_mode(desk: Desk) -> None:
    caller = desk.caller()
    request_id = desk.spend(caller, 10, 5)
    found = usage.receipt(desk.store, caller.account_id, "live", request_id)
    assert (found.request_id, found.created_at, found.outcome, found.is_stream) == (request_id, NOON, "completed", True)
    assert usage.receipt(desk.store, caller.account_id, "test", request_id) is None
    assert usage.receipt(desk.store, caller.account_id + 1, "live", request_id) is None


def test_six_hours_over_midnight_drift_by_nothing(desk: Desk) -> None:
    caller = desk.caller("business")
    desk.clock.now = NOON + timedelta(hours=9)
    open_ids: list[str] = []
    for number in range(360):
        open_ids.append(desk.admit(caller, 10 + number % 7, 50))
        if len(open_ids) > 5:
            outcome = ("completed", "client_gone", "stream_error", "upstream_error")[number % 4]
            desk.meter.settle(open_ids.pop(0), Settlement(outcome, 10, number % 11))
        desk.clock.forward(minutes=1)
        desk.meter.heartbeat()
    for request_id in open_ids:
        desk.meter.settle(request_id, Settlement("completed", 10, 1))
    desk.check_sums()
    assert {day.held_tokens for day in desk.days()} == {0}
    assert len(desk.days()) == 2
