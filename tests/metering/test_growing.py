"""Requests that hold a part of their answer first and more as it grows."""

import threading
from typing import Any

import pytest

from llmrack.billing import checkout
from llmrack.errors import InsufficientCredits, RateLimited, Unavailable
from llmrack.metering import limits
from llmrack.metering.limits import ANSWER_STEP_TOKENS
from llmrack.metering.meter import Admission, Grant, Settlement
from llmrack.money import nanousd
from tests.support import made
from tests.support.stores import Desk


def begin(desk: Desk, caller: Any, prompt: int = 100, output: int = 8000, **more: Any) -> tuple[Admission, Grant]:
    admission = desk.admission(caller, prompt, output, can_grow=True, **more)
    return admission, desk.meter.admit(admission)


def settle(desk: Desk, admission: Admission, prompt: int, completion: int) -> None:
    desk.meter.settle(admission.request_id, Settlement("completed", prompt, completion))


def test_an_answer_begins_with_a_first_part_where_others_could_not_hold_as_much(desk: Desk) -> None:
    admission, grant = begin(desk, desk.caller())
    assert (grant.output_tokens, grant.is_whole) == (ANSWER_STEP_TOKENS, False)
    assert desk.row(admission.request_id).held_tokens == 100 + ANSWER_STEP_TOKENS
    desk.check_sums()


def test_where_there_is_plenty_an_answer_is_held_whole_and_needs_no_second_transaction(desk: Desk) -> None:
    _, grant = begin(desk, desk.caller("pro"))
    assert (grant.output_tokens, grant.is_whole) == (8000, True)


def test_ten_requests_fit_into_a_fresh_free_day(desk: Desk) -> None:
    caller = desk.caller()
    assert [begin(desk, caller)[1].output_tokens for _ in range(10)] == [ANSWER_STEP_TOKENS] * 10


def test_a_hold_grows_to_the_last_token_and_no_further(desk: Desk) -> None:
    caller = desk.caller()
    desk.spend(caller, 4000, 4000)
    admission, grant = begin(desk, caller, prompt=500)
    grant = desk.meter.grow(admission, grant, 500, 1024)
    assert (grant.output_tokens, grant.held_tokens) == (1024, 1524)
    grant = desk.meter.grow(admission, grant, 500, 4000)
    assert (grant.output_tokens, grant.limits.remaining) == (1500, 0)
    assert desk.meter.grow(admission, grant, 500, 5000).output_tokens == 1500
    desk.check_sums()
    settle(desk, admission, 500, 1500)
    assert desk.meter.limits(caller).remaining == 0
    desk.check_sums()


def test_a_prompt_that_turns_out_smaller_leaves_more_for_its_answer(desk: Desk) -> None:
    caller = desk.caller()
    admission, grant = begin(desk, caller, prompt=9000)
    assert desk.meter.grow(admission, grant, 9000, 8000).output_tokens == 1000
    assert desk.meter.grow(admission, grant, 2500, 8000).output_tokens == 7500
    desk.check_sums()


def test_credits_are_held_together_with_the_tokens(desk: Desk) -> None:
    caller = desk.caller("payg")
    made.credit(desk.store, "ada", 40 * 1000)
    admission, grant = begin(desk, caller)
    assert desk.balance().held_nanousd == 40 * (100 + ANSWER_STEP_TOKENS)
    grant = desk.meter.grow(admission, grant, 100, 8000)
    assert (grant.output_tokens, desk.balance().held_nanousd) == (900, 40_000)
    desk.check_sums()
    settle(desk, admission, 100, 900)
    assert (desk.balance().held_nanousd, desk.row(admission.request_id).cost_nanousd) == (0, 40_000)
    desk.check_sums()


def test_a_monthly_limit_bounds_what_is_held_as_an_answer_grows(desk: Desk) -> None:
    caller = desk.caller("payg")
    made.credit(desk.store, "ada", nanousd("5"))
    checkout.set_spending(desk.store, caller.account_id, uses_credits=False, nanousd_per_month=40 * 1000)
    caller = desk.caller("payg")
    admission, grant = begin(desk, caller)
    assert desk.meter.grow(admission, grant, 100, 8000).output_tokens == 900
    desk.check_sums()


def test_a_prompt_that_does_not_fit_by_its_bound_is_admitted_to_be_counted(desk: Desk) -> None:
    caller = desk.caller()
    admission, grant = begin(desk, caller, prompt=16_000, least_prompt_tokens=lambda: 700)
    assert (grant.must_count, grant.is_whole, grant.held_tokens) == (True, False, 701)
    grant = desk.meter.grow(admission, grant, 3000, 8000)
    assert (grant.must_count, grant.output_tokens, grant.held_tokens) == (False, ANSWER_STEP_TOKENS, 3512)
    desk.check_sums()


def test_a_long_prompt_is_counted_where_its_bound_would_keep_others_from_beginning(desk: Desk) -> None:
    caller = desk.caller()
    for _ in range(10):
        admission, grant = begin(desk, caller, prompt=8192, least_prompt_tokens=lambda: 1)
        assert (grant.must_count, grant.held_tokens) == (True, 2)
        assert desk.meter.grow(admission, grant, 30, 8000).output_tokens == ANSWER_STEP_TOKENS
    desk.check_sums()


@pytest.mark.parametrize(("plan", "prompt"), [("free", 500), ("pro", 16_000)])
def test_a_prompt_is_not_counted_where_it_is_short_or_there_is_plenty(desk: Desk, plan: str, prompt: int) -> None:
    caller = desk.caller(plan)
    for _ in range(3):
        assert not begin(desk, caller, prompt=prompt, least_prompt_tokens=lambda: 1)[1].must_count


def test_a_counted_prompt_that_does_not_fit_is_refused_and_holds_nothing_more(desk: Desk) -> None:
    caller = desk.caller()
    admission, grant = begin(desk, caller, prompt=16_000, least_prompt_tokens=lambda: 700)
    with pytest.raises(RateLimited, match="10,001 at least"):
        desk.meter.grow(admission, grant, 10_000, 8000)
    assert desk.row(admission.request_id).held_tokens == 701
    desk.check_sums()


def test_what_cannot_fit_whatever_the_count_is_refused_at_once(desk: Desk) -> None:
    with pytest.raises(RateLimited, match="11,001 at least"):
        begin(desk, desk.caller(), prompt=16_000, least_prompt_tokens=lambda: 11_000)


def test_credits_pay_for_a_counted_prompt_that_is_more_than_the_day_has_left(desk: Desk) -> None:
    caller = desk.caller()
    made.credit(desk.store, "ada", nanousd("5"))
    checkout.set_spending(desk.store, caller.account_id, uses_credits=True, nanousd_per_month=None)
    caller = desk.caller()
    desk.spend(caller, 9000, 0)
    admission, grant = begin(desk, caller, prompt=16_000, output=200, least_prompt_tokens=lambda: 500)
    assert not desk.row(admission.request_id).is_prepaid
    grant = desk.meter.grow(admission, grant, 2000, 200)
    assert desk.row(admission.request_id).is_prepaid
    settle(desk, admission, 2000, 200)
    assert desk.row(admission.request_id).cost_nanousd == 40 * 2200
    desk.check_sums()


def test_an_answer_over_midnight_grows_in_the_day_it_was_admitted(desk: Desk) -> None:
    caller = desk.caller()
    desk.clock.forward(hours=11, minutes=59)
    admission, grant = begin(desk, caller)
    desk.clock.forward(minutes=2)
    desk.spend(caller, 5000, 5000)
    assert desk.meter.grow(admission, grant, 100, 12_000).output_tokens == 9900
    desk.check_sums()


def test_a_minute_counts_what_an_answer_grows_by_at_its_admission(desk: Desk) -> None:
    caller = desk.caller("payg")
    made.credit(desk.store, "ada", nanousd("5"))
    desk.spend(caller, 50_000, 0)
    desk.clock.forward(seconds=50)
    admission, grant = begin(desk, caller)
    desk.clock.forward(seconds=50)
    desk.spend(caller, 70_000, 0)
    # Both others are within a minute of this one, but not of each other: the fuller minute counts.
    assert desk.meter.grow(admission, grant, 100, 90_000).output_tokens == 29_900
    desk.check_sums()


def test_a_settled_request_grows_no_more(desk: Desk) -> None:
    admission, grant = begin(desk, desk.caller())
    settle(desk, admission, 10, 5)
    with pytest.raises(Unavailable):
        desk.meter.grow(admission, grant, 100, 1000)
    desk.check_sums()


def test_the_sweep_returns_what_a_dead_worker_had_grown_to(desk: Desk) -> None:
    admission, grant = begin(desk, desk.caller())
    desk.meter.grow(admission, grant, 100, 5000)
    desk.meter.checkpoint(admission.request_id, 100, 30)
    desk.clock.forward(seconds=60)
    desk.meter._open.clear()
    assert desk.meter.sweep() == 1
    assert [(day.held_tokens, day.completion_tokens) for day in desk.days()][0] == (0, 30)
    desk.check_sums()


@pytest.mark.parametrize("pays", ["budget", "credits"])
def test_twenty_answers_that_grow_at_the_same_moment_never_hold_more_than_there_is(desk: Desk, pays: str) -> None:
    roomy = {"requests_per_minute": 1000, "concurrent_requests": 1000}
    plan = desk.plans.get("free" if pays == "budget" else "payg")
    caller = desk.caller(type(plan)(**{**plan.__dict__, **roomy}))
    if pays == "credits":
        made.credit(desk.store, "ada", 40 * 10_000)
    begun = [begin(desk, caller, prompt=20, output=4000) for _ in range(18)]
    gate, totals = threading.Barrier(len(begun)), []

    def grow(admission: Admission, grant: Grant) -> None:
        gate.wait()
        for wanted in (1000, 2000, 4000):
            grant = desk.meter.grow(admission, grant, 20, wanted)
        totals.append(grant.output_tokens)
        settle(desk, admission, 20, grant.output_tokens)

    threads = [threading.Thread(target=grow, args=one) for one in begun]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used = sum(day.prompt_tokens + day.completion_tokens for day in desk.days())
    assert len(totals) == len(begun)
    assert 9_000 < used <= 10_000
    assert desk.balance().spent_nanousd <= 40 * 10_000
    desk.check_sums()


def test_a_refusal_says_what_is_used_what_is_held_and_by_how_many(desk: Desk) -> None:
    caller = desk.caller()
    desk.spend(caller, 100, 0)
    for _ in range(3):
        desk.admit(caller, 1000, 2300)
    with pytest.raises(RateLimited) as caught:
        desk.admit(caller, 10, 10)
    assert "is 10,000 tokens, of which 100 are used and 9,900 are held by 3 requests" in caught.value.message
    assert (caught.value.code, caught.value.retry_after_s) == ("tokens_per_day", limits.HELD_RETRY_S)


def test_a_refusal_carries_the_limit_it_was_decided_by(desk: Desk) -> None:
    caller = desk.caller()
    desk.spend(caller, 9_900, 0)
    with pytest.raises(RateLimited) as caught:
        desk.admit(caller, 200, 10)
    assert caught.value.token_limits.remaining == 100
    with pytest.raises(InsufficientCredits) as refused:
        desk.admit(desk.caller("payg", account="bob"), 200, 10)
    assert refused.value.token_limits.remaining == 100_000
