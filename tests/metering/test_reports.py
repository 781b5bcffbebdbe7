"""Sums over hours and days, the log page by page, and mails about budgets, on both databases."""

from datetime import timedelta

import pytest

from llmrack import plans
from llmrack.accounts import people, pruning
from llmrack.metering import budget_alerts, reports, usage
from llmrack.metering.reports import Place, Range
from llmrack.store.database import Store
from tests.support.stores import NOMIC, PHI, Clock, Desk


def test_days_of_a_range_are_the_stored_sums(desk: Desk, clock: Clock) -> None:
    caller = desk.caller("pro")
    for day in range(5):
        desk.spend(caller, 10 + day, 5)
        desk.spend(caller, 1, 0, model=NOMIC)
        clock.forward(days=1)
    today = clock().date()
    wanted = Range(caller.account_id, "live", today - timedelta(days=4), today)
    rows = reports.sums(desk.store, wanted, clock())
    first = (today - timedelta(days=4)).isoformat()
    assert sorted(rows, key=lambda row: (row.day, row.model_id)) == sorted(
        usage.by_day(desk.store, caller.account_id, "live", first, today.isoformat()),
        key=lambda row: (row.day, row.model_id),
    )
    assert wanted.slots(clock())[0] == first
    assert len(wanted.slots(clock())) == 5
    only = reports.sums(desk.store, Range(caller.account_id, "live", wanted.first, today, model_id=PHI.id), clock())
    assert {row.model_id for row in only} == {PHI.id}
    assert reports.sums(desk.store, Range(caller.account_id, "test", wanted.first, today), clock()) == []
    assert reports.sums(desk.store, Range(caller.account_id + 1, "live", wanted.first, today), clock()) == []


def test_hours_of_a_day_are_summed_from_requests(desk: Desk, clock: Clock) -> None:
    caller = desk.caller("pro")
    desk.spend(caller, 1000, 1)
    clock.forward(hours=23)
    for _ in range(3):
        desk.spend(caller, 10, 5)
    wanted = Range(caller.account_id, "live", None, clock().date())
    assert len(wanted.slots(clock())) == 24
    rows = reports.sums(desk.store, wanted, clock())
    assert [(row.day, row.requests, row.prompt_tokens) for row in rows] == [
        ("2026-11-22T12", 1, 1000),
        ("2026-11-23T11", 3, 30),
    ]
    clock.forward(hours=1)
    assert [
        row.requests
        for row in reports.sums(desk.store, Range(caller.account_id, "live", None, clock().date()), clock())
    ] == [3]


def test_the_log_is_complete_and_in_order_page_by_page(desk: Desk, clock: Clock) -> None:
    caller = desk.caller("business")
    made = []
    for number in range(25):
        made.append(desk.spend(caller, 1, 1))
        if number % 3 == 0:
            clock.forward(seconds=1)
    wanted = Range(caller.account_id, "live", clock().date(), clock().date())
    seen: list[str] = []
    before = None
    while page := reports.requests(desk.store, wanted, clock(), before, limit=7):
        seen += [row.request_id for row in page]
        before = Place(page[-1].created_at, page[-1].request_id)
    assert sorted(seen) == sorted(made)
    assert len(seen) == 25
    assert seen == [row.request_id for row in reports.every_request(desk.store, wanted, clock())]


def test_an_account_that_used_nothing_is_told_apart(desk: Desk) -> None:
    caller = desk.caller()
    assert not reports.has_any(desk.store, caller.account_id)
    desk.spend(caller, 1, 1)
    assert reports.has_any(desk.store, caller.account_id)


@pytest.fixture
def person(store: Store, clock: Clock) -> str:
    people.sign_up(store, "ada@example.com", "correct horse battery", clock())
    return "ada@example.com"


def test_a_budget_is_told_at_80_and_at_100_percent_once_a_day(desk: Desk, clock: Clock, person: str) -> None:
    caller, known = desk.caller("free", account=person), plans.load()

    def due() -> list[tuple[int, int]]:
        return [(notice.percent, notice.used) for notice in budget_alerts.due(desk.store, known, clock())]

    desk.spend(caller, 7999, 0)
    assert due() == []
    desk.spend(caller, 1, 0)
    assert due() == [(80, 8000)]
    assert due() == []
    desk.spend(caller, 2000, 0)
    assert due() == [(100, 10_000)]
    assert due() == []
    clock.forward(days=1)
    assert due() == []
    desk.spend(caller, 9999, 1)
    assert due() == [(100, 10_000)]
    assert due() == []
    clock.forward(days=10)
    pruning.prune(desk.store, clock(), has_mail=False)
    with desk.store.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM notices").all()[0][0] == 0


def test_test_keys_unlimited_plans_and_people_who_do_not_want_it_get_no_mail(
    desk: Desk, clock: Clock, person: str
) -> None:
    known = plans.load()
    test = desk.caller("free", mode="test", account=person)
    desk.spend(test, 9000, 1000)
    assert budget_alerts.due(desk.store, known, clock()) == []
    live = desk.caller("free", account=person)
    desk.spend(live, 9000, 1000)
    account = people.find(desk.store, person)
    assert account is not None
    people.set_budget_mail(desk.store, account.account_id, False)
    assert budget_alerts.due(desk.store, known, clock()) == []
    people.set_budget_mail(desk.store, account.account_id, True)
    assert len(budget_alerts.due(desk.store, known, clock())) == 1
