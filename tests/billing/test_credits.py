"""Credits: the ledger only grows and adds up, spending stays within the balance, monthly limits hold."""

import threading
from typing import Any

import pytest
from sqlalchemy import delete, exc, select, update

from llmrack.billing import checkout, closing, credits
from llmrack.catalog import Model
from llmrack.errors import InsufficientCredits, RateLimited, Unavailable
from llmrack.keys import authentication
from llmrack.metering.meter import Settlement
from llmrack.money import nanousd
from llmrack.store.tables.billing import CreditEntry
from llmrack.store.tables.usage import Account, Balance
from tests.support import made
from tests.support.stores import NOON, PHI, Desk

CENT = 10**7
# Every token at the price of the cheapest model.
PRICE = 40


def grant(desk: Desk, account_id: int, amount: int) -> None:
    credits.grant(desk.store, account_id, amount, "welcome", "operator", desk.clock())


def prepaid(desk: Desk, amount: int, **more: Any) -> Any:
    caller = desk.caller("payg", **more)
    grant(desk, caller.account_id, amount)
    return caller


def again(desk: Desk, caller: Any, **facts: Any) -> Any:
    """The same key after its account's columns were changed."""
    with desk.store.write() as connection:
        connection.execute(update(Account).where(Account.id == caller.account_id).values(**facts))
    names = {"nanousd_per_month": "account_nanousd_per_month"}
    return type(caller)(**{**caller.__dict__, **{names.get(name, name): value for name, value in facts.items()}})


def test_every_settled_request_is_one_entry_of_what_it_cost(desk: Desk) -> None:
    caller = prepaid(desk, nanousd("5"))
    first, second = desk.spend(caller, 100, 20), desk.spend(caller, 1, 1)
    spent = credits.entries(desk.store, caller.account_id)[:2]
    assert [(row.kind, row.reference, row.amount_nanousd, row.reason) for row in spent] == [
        ("spent", second, -2 * PRICE, "phi-3-mini"),
        ("spent", first, -120 * PRICE, "phi-3-mini"),
    ]
    assert credits.balance(desk.store, caller.account_id).left_nanousd == nanousd("5") - 122 * PRICE
    assert credits.check(desk.store) == 1


def test_a_request_that_costs_nothing_leaves_no_entry(desk: Desk) -> None:
    caller = prepaid(desk, nanousd("5"))
    desk.meter.settle(desk.admit(caller), Settlement("upstream_error", 10, 0))
    assert [row.kind for row in credits.entries(desk.store, caller.account_id)] == ["granted"]


def test_settling_twice_is_one_entry(desk: Desk) -> None:
    caller = prepaid(desk, nanousd("5"))
    request_id = desk.admit(caller)
    for _ in range(2):
        desk.meter.settle(request_id, Settlement("completed", 10, 5))
    assert len(credits.entries(desk.store, caller.account_id)) == 2
    credits.check(desk.store)


@pytest.mark.parametrize("change", [update(CreditEntry).values(amount_nanousd=1), delete(CreditEntry)])
def test_the_ledger_refuses_to_be_changed(desk: Desk, change: Any) -> None:
    caller = prepaid(desk, nanousd("5"))
    with pytest.raises(exc.DBAPIError, match="credit_entries only grows"), desk.store.write() as connection:
        connection.execute(change)
    assert credits.balance(desk.store, caller.account_id).left_nanousd == nanousd("5")


def test_a_balance_that_is_not_the_sum_of_its_entries_is_found(desk: Desk) -> None:
    prepaid(desk, nanousd("5"))
    with desk.store.write() as connection:
        connection.execute(update(Balance).values(paid_nanousd=Balance.paid_nanousd + 1))
    with pytest.raises(credits.UnequalLedger):
        credits.check(desk.store)


@pytest.mark.parametrize(("amount", "reason"), [(0, "x"), (5, " "), (5, "")])
def test_a_grant_needs_an_amount_and_a_reason(desk: Desk, amount: int, reason: str) -> None:
    with pytest.raises(credits.BadGrant):
        credits.grant(desk.store, desk.caller("payg").account_id, amount, reason, "operator", NOON)


def test_a_receipt_is_tokens_times_price_whatever_was_held(desk: Desk) -> None:
    caller = prepaid(desk, 1000 * PRICE)
    request_id = desk.admit(caller, 500, 500)
    desk.meter.settle(request_id, Settlement("completed", 700, 500))
    assert desk.row(request_id).cost_nanousd == 1200 * PRICE
    assert credits.balance(desk.store, caller.account_id).left_nanousd == -200 * PRICE
    desk.check_sums()


def in_parallel(desk: Desk, caller: Any, count: int, prompt: int, output: int, take: int) -> dict[str, int]:
    """`count` requests at once, each settled with `take` tokens of an answer; how they ended."""
    ends: dict[str, int] = {"ok": 0, "402": 0, "other": 0}
    lock, gate = threading.Lock(), threading.Barrier(20)

    def worker(admissions: list[Any]) -> None:
        gate.wait()
        for admission in admissions:
            end = "ok"
            while True:
                try:
                    granted = desk.meter.admit(admission).output_tokens
                    desk.meter.settle(admission.request_id, Settlement("completed", prompt, min(take, granted)))
                except InsufficientCredits:
                    end = "402"
                except RateLimited as error:
                    if error.code == "concurrent_requests":
                        continue
                    end = "other"
                except Unavailable:
                    continue
                break
            with lock:
                ends[end] += 1

    admissions = [desk.admission(caller, prompt, output) for _ in range(count)]
    threads = [threading.Thread(target=worker, args=(admissions[start::20],)) for start in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


def test_200_requests_at_once_with_a_tenth_of_a_cent_left_never_overspend(desk: Desk) -> None:
    caller = prepaid(desk, nanousd("0.001"))
    ends = in_parallel(desk, caller, 200, 100, 400, take=150)
    balance = credits.balance(desk.store, caller.account_id)
    # $0.001 is 25,000 tokens, and each of these takes 250: a hundred fit, were it not for what others hold.
    assert ends["other"] == 0
    assert 90 <= ends["ok"] <= 101
    assert ends["402"] == 200 - ends["ok"]
    assert balance.held_nanousd == 0
    assert balance.left_nanousd >= 0
    assert balance.spent_nanousd <= nanousd("0.001")
    credits.check(desk.store)
    desk.check_sums()


@pytest.mark.parametrize("whose", ["account", "key"])
def test_a_monthly_limit_is_not_exceeded_by_200_requests_at_once(desk: Desk, whose: str) -> None:
    limit = 2500 * PRICE
    caller = prepaid(desk, nanousd("5"))
    name = "account_nanousd_per_month" if whose == "account" else "nanousd_per_month"
    caller = type(caller)(**{**caller.__dict__, name: limit})
    ends = in_parallel(desk, caller, 200, 10, 90, take=90)
    assert credits.balance(desk.store, caller.account_id).spent_nanousd <= limit
    assert ends["other"] == 0
    assert ends["ok"] >= 25
    assert ends["402"] == 200 - ends["ok"]
    desk.check_sums()


def test_a_monthly_limit_says_so_and_starts_again_on_the_first(desk: Desk) -> None:
    caller = again(desk, prepaid(desk, nanousd("5")), nanousd_per_month=100 * PRICE)
    assert desk.meter.admit(desk.admission(caller, 50, 5000)).output_tokens == 50
    with pytest.raises(InsufficientCredits, match=r"limit of \$0.000004 a month") as caught:
        desk.admit(caller, 1, 1)
    assert (caught.value.code, caught.value.headers) == ("monthly_limit", (("x-should-retry", "false"),))
    desk.clock.forward(days=9)
    desk.admit(caller, 50, 50)


def test_a_limit_of_a_key_does_not_stop_the_others(desk: Desk) -> None:
    small = type(caller := prepaid(desk, nanousd("5")))(**{**caller.__dict__, "nanousd_per_month": 10 * PRICE})
    desk.spend(small, 5, 5)
    with pytest.raises(InsufficientCredits, match="this key's limit"):
        desk.admit(small, 1, 1)
    desk.admit(desk.caller("payg"), 1000, 1000)


def test_a_budget_that_is_used_up_is_carried_on_by_credits_if_the_account_chose_so(desk: Desk) -> None:
    caller = desk.caller("free")
    grant(desk, caller.account_id, 1000 * PRICE)
    desk.spend(caller, 9000, 1000)
    with pytest.raises(RateLimited, match="daily budget"):
        desk.admit(caller, 1, 1)
    chosen = again(desk, caller, uses_credits=True)
    request_id = desk.spend(chosen, 100, 200)
    row = desk.row(request_id)
    assert (row.is_prepaid, row.plan_id, row.cost_nanousd) == (True, "free", 300 * PRICE)
    assert credits.balance(desk.store, caller.account_id).left_nanousd == 700 * PRICE
    desk.check_sums()
    credits.check(desk.store)


def test_credits_do_not_pay_while_the_budget_lasts_or_open_requests_hold_it(desk: Desk) -> None:
    caller = again(desk, desk.caller("free"), uses_credits=True)
    grant(desk, caller.account_id, nanousd("5"))
    first = desk.admit(caller, 1000, 9000)
    assert not desk.row(first).is_prepaid
    with pytest.raises(RateLimited) as caught:
        desk.admit(caller, 1, 1)
    assert caught.value.retry_after_s == 2


def test_whoever_has_a_budget_but_no_credits_is_told_when_it_starts_again(desk: Desk) -> None:
    caller = again(desk, desk.caller("free"), uses_credits=True)
    desk.spend(caller, 9000, 1000)
    with pytest.raises(RateLimited) as caught:
        desk.admit(caller, 1, 1)
    assert (caught.value.code, caught.value.retry_after_s) == ("tokens_per_day", 12 * 3600)


def test_the_budget_of_a_key_is_not_carried_on_by_credits(desk: Desk) -> None:
    caller = again(desk, desk.caller("free", tokens_per_day=100), uses_credits=True)
    grant(desk, caller.account_id, nanousd("5"))
    desk.spend(caller, 60, 40)
    with pytest.raises(RateLimited, match="own daily budget"):
        desk.admit(caller, 1, 1)


def test_what_an_account_chooses_is_read_with_its_key(desk: Desk) -> None:

    account_id = desk.caller("pro").account_id
    checkout.set_spending(desk.store, account_id, uses_credits=True, nanousd_per_month=7)
    issued = made.key(desk.store, name="k", mode="live", account="ada", now=desk.clock())
    caller = authentication.resolve(desk.store, desk.plans, issued.secret, desk.clock())
    assert (caller.uses_credits, caller.account_nanousd_per_month, caller.plan.id) == (True, 7, "pro")


def test_prices_on_entries_are_those_of_the_request(desk: Desk) -> None:
    caller = prepaid(desk, nanousd("5"))
    request_id = desk.admit(caller, 10, 10, model=PHI)
    desk.meter.settle(request_id, Settlement("completed", 10, 10))
    dearer = Model(**{**PHI.__dict__, "input_nanousd": 1000, "output_nanousd": 1000})
    desk.spend(caller, 1, 1, model=dearer)
    amounts = [row.amount_nanousd for row in credits.entries(desk.store, caller.account_id) if row.kind == "spent"]
    assert amounts == [-2000, -20 * PRICE]
    with desk.store.read() as connection:
        assert connection.scalar(select(CreditEntry.day).where(CreditEntry.reference == request_id)) == "2026-11-22"


def test_leaving_gives_up_what_no_request_holds_and_the_ledger_stays_equal(desk: Desk) -> None:
    caller = prepaid(desk, 1000 * PRICE)
    who = caller.account_id
    request_id = desk.admit(caller, 100, 20)
    with pytest.raises(closing.CreditsLeft):
        closing.leave(desk.store, who, NOON, gives_up_nanousd=1000 * PRICE - 1)
    assert credits.balance(desk.store, who).left_nanousd == 1000 * PRICE
    closing.leave(desk.store, who, NOON, gives_up_nanousd=1000 * PRICE)
    balance = credits.balance(desk.store, who)
    assert balance.left_nanousd == balance.held_nanousd > 0
    desk.meter.settle(request_id, Settlement("completed", 100, 20))
    assert credits.balance(desk.store, who).held_nanousd == 0
    assert credits.balance(desk.store, who).left_nanousd >= 0
    credits.check(desk.store)
