"""Statements: their lines are the receipts, and every sum is the same wherever it is shown."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmrack.billing import credits, statements
from llmrack.catalog import Model
from llmrack.errors import ApiError
from llmrack.metering import reports, usage
from llmrack.metering.meter import Settlement
from llmrack.metering.outcomes import OUTCOMES
from tests.support.stores import PHI, Desk
from tests.support.tills import Counter


def assert_equal_everywhere(desk: Desk, account_id: int, month: str) -> int:
    """Statement = its lines = ledger = usage page, to the nano-dollar; what it was."""
    found = statements.of(desk.store, account_id, month)
    lines = list(statements.lines(desk.store, account_id, month))
    assert found.cost_nanousd == sum(line.cost_nanousd for line in lines)
    assert found.charged_nanousd == sum(line.charged_nanousd for line in lines)
    assert found.requests == sum(line.requests for line in lines)
    ledger = credits.entries(desk.store, account_id, limit=10**9)
    spent = [row for row in ledger if row.kind == "spent" and row.day.startswith(month)]
    assert found.charged_nanousd == -sum(row.amount_nanousd for row in spent)
    kept = {line.request_id: line.charged_nanousd for line in lines if line.charged_nanousd and line.request_id}
    assert kept.items() <= {(row.reference, -row.amount_nanousd) for row in spent}
    shown = usage.by_day(desk.store, account_id, "live", f"{month}-01", f"{month}-31")
    assert found.cost_nanousd == sum(row.cost_nanousd for row in shown)
    moved = sum(row.amount_nanousd for row in found.movements)
    assert found.opening_nanousd + moved - found.charged_nanousd == found.closing_nanousd
    first, last = datetime.fromisoformat(f"{month}-01"), datetime.fromisoformat(f"{month}-28") + timedelta(days=4)
    chosen = reports.Range(account_id, "live", first.date(), (last - timedelta(days=last.day)).date())
    exported = [row for row in reports.every_request(desk.store, chosen, desk.clock()) if row.outcome]
    assert sum(row.cost_nanousd for row in exported) == sum(line.cost_nanousd for line in lines if line.request_id)
    return found.cost_nanousd


def test_a_month_lists_each_receipt_with_the_prices_of_its_request(desk: Desk) -> None:
    caller = desk.caller("payg")
    credits.grant(desk.store, caller.account_id, 10**9, "welcome", "operator", desk.clock())
    first = desk.spend(caller, 10, 5)
    dearer = Model(**{**PHI.__dict__, "input_nanousd": 100, "output_nanousd": 200})
    second = desk.spend(caller, 10, 5, model=dearer)
    lines = list(statements.lines(desk.store, caller.account_id, "2026-11"))
    assert [(line.request_id, line.input_nanousd, line.output_nanousd, line.charged_nanousd) for line in lines] == [
        (first, 40, 40, 600),
        (second, 100, 200, 2000),
    ]
    found = statements.of(desk.store, caller.account_id, "2026-11")
    assert (found.opening_nanousd, found.charged_nanousd, found.closing_nanousd) == (0, 2600, 10**9 - 2600)
    assert [(row.kind, row.reason) for row in found.movements] == [("granted", "welcome")]
    assert_equal_everywhere(desk, caller.account_id, "2026-11")


def test_a_request_over_the_end_of_a_month_is_stated_where_it_began(desk: Desk) -> None:
    caller = desk.caller("payg")
    credits.grant(desk.store, caller.account_id, 10**9, "welcome", "operator", desk.clock())
    desk.clock.now = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    request_id = desk.admit(caller)
    desk.clock.forward(seconds=10)
    desk.meter.settle(request_id, Settlement("completed", 10, 20))
    assert assert_equal_everywhere(desk, caller.account_id, "2026-11") == 1200
    assert assert_equal_everywhere(desk, caller.account_id, "2026-12") == 0


def test_folding_old_receipts_changes_no_sum(desk: Desk) -> None:
    caller = desk.caller("payg")
    credits.grant(desk.store, caller.account_id, 10**9, "welcome", "operator", desk.clock())
    for _ in range(5):
        desk.spend(caller, 10, 20)
        desk.clock.forward(days=1)
    before = statements.of(desk.store, caller.account_id, "2026-11")
    usage.prune(desk.store, "2026-11-25", desk.clock(), actor="tests")
    assert statements.of(desk.store, caller.account_id, "2026-11") == before
    lines = list(statements.lines(desk.store, caller.account_id, "2026-11"))
    assert [(line.day, bool(line.request_id)) for line in lines] == [
        ("2026-11-22", False),
        ("2026-11-23", False),
        ("2026-11-24", False),
        ("2026-11-25", True),
        ("2026-11-26", True),
    ]
    assert_equal_everywhere(desk, caller.account_id, "2026-11")


def test_invoices_for_plans_are_on_the_statement(counter: Counter) -> None:
    account_id = counter.account()
    counter.subscribe(account_id)
    counter.buy(account_id, 500)
    found = statements.of(counter.desk.store, account_id, "2026-11")
    assert [(fee.day, fee.amount_cents) for fee in found.fees] == [("2026-11-22", 1500)]
    assert [(row.kind, row.amount_nanousd) for row in found.movements] == [("bought", 5 * 10**9)]


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "26-11", "", "2026-12", "x", "2026-11-01"])
def test_a_month_that_is_none_is_refused(month: str) -> None:
    with pytest.raises(statements.BadMonth):
        statements.parse(month, datetime(2026, 11, 30, tzinfo=UTC))


def test_the_months_of_an_account_begin_with_its_first(desk: Desk) -> None:
    account_id = desk.caller().account_id
    later = datetime(2027, 2, 3, tzinfo=UTC)
    assert statements.months(desk.store, account_id, later) == ["2027-02", "2027-01", "2026-12", "2026-11"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 40))
def test_whatever_happens_all_sums_are_equal(desk: Desk, seed: int, steps: int) -> None:
    dice = random.Random(seed)
    plan = dice.choice(["free", "pro", "payg"])
    # Every example is an account of its own on the one database.
    caller = desk.caller(plan, account=f"account-{seed}-{steps}-{dice.random()}")
    caller = type(caller)(**{**caller.__dict__, "uses_credits": dice.random() < 0.5})
    months = set()
    for _ in range(steps):
        months.add(desk.clock().strftime("%Y-%m"))
        do_something(desk, caller, dice)
    for month in months:
        assert_equal_everywhere(desk, caller.account_id, month)
    credits.check(desk.store)
    desk.check_sums()


def do_something(desk: Desk, caller: Any, dice: random.Random) -> None:
    if dice.random() < 0.2:
        amount = dice.randrange(1, 10**8)
        credits.grant(desk.store, caller.account_id, amount, "a gift", "operator", desk.clock())
        return
    model = Model(**{**PHI.__dict__, "input_nanousd": dice.randrange(200), "output_nanousd": dice.randrange(200)})
    prompt, answer = dice.randrange(1, 4000), dice.randrange(4000)
    try:
        request_id = desk.admit(caller, prompt, answer, model=model)
    except ApiError:
        request_id = None
    desk.clock.forward(seconds=dice.choice([1, 60, 3600, 86_400, 86_400 * 9]))
    if request_id is not None:
        took = dice.randrange(prompt * 2), dice.randrange(answer + 1)
        desk.meter.settle(request_id, Settlement(dice.choice(list(OUTCOMES)), *took))
