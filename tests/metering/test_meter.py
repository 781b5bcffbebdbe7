"""The meter: what is reserved, what is booked, and that a request is booked once."""

import threading
from datetime import UTC, datetime

import pytest

from llmrack.catalog import Model
from llmrack.errors import InsufficientCredits, RateLimited, Unavailable
from llmrack.metering import limits
from llmrack.metering.limits import LimitState
from llmrack.metering.meter import Meter, Settlement
from llmrack.money import nanousd
from tests.support import made
from tests.support.stores import NOMIC, PHI, Desk


def end(outcome: str = "completed", prompt: int = 10, completion: int = 5, **times: int) -> Settlement:
    return Settlement(outcome, prompt, completion, **times)


def refusal(desk: Desk, caller: object, prompt: int, output: int) -> RateLimited:
    with pytest.raises(RateLimited) as caught:
        desk.admit(caller, prompt, output)
    return caught.value


def test_admission_writes_an_open_row_and_holds_both_bounds(desk: Desk) -> None:
    caller = desk.caller()
    row = desk.row(desk.admit(caller, 100, 200, user="u-1"))
    assert (row.state, row.outcome, row.settled_at) == ("open", None, None)
    assert (row.held_tokens, row.held_nanousd, row.day) == (300, 0, "2026-11-22")
    assert (row.account_id, row.key_id, row.mode, row.plan_id) == (caller.account_id, caller.key_id, "live", "free")
    assert (row.model_id, row.endpoint, row.end_user, row.owner) == ("phi-3-mini", "chat", "u-1", "this-worker")
    assert (row.created_at, row.is_stream, row.is_prepaid) == (desk.clock(), True, False)
    assert [day.held_tokens for day in desk.days()] == [300]
    desk.check_sums()


def test_settling_books_the_real_counts_and_returns_the_rest(desk: Desk) -> None:
    request_id = desk.admit(desk.caller(), 100, 200)
    desk.clock.forward(seconds=3)
    desk.meter.settle(request_id, end(prompt=90, completion=40, queue_ns=1, load_ns=2, total_ns=9, cached_tokens=7))
    row = desk.row(request_id)
    assert (row.state, row.outcome, row.settled_at) == ("settled", "completed", desk.clock())
    assert (row.prompt_tokens, row.completion_tokens, row.cached_tokens) == (90, 40, 7)
    assert (row.counted_prompt_tokens, row.counted_completion_tokens) == (90, 40)
    assert row.cost_nanousd == 130 * 40
    assert (row.queue_ns, row.load_ns, row.total_ns) == (1, 2, 9)
    (day,) = desk.days()
    assert (day.requests, day.prompt_tokens, day.completion_tokens, day.held_tokens) == (1, 90, 40, 0)
    assert (day.cost_nanousd, day.prepaid_nanousd) == (130 * 40, 0)
    desk.check_sums()


def test_the_second_settlement_changes_nothing(desk: Desk) -> None:
    request_id = desk.admit(desk.caller())
    desk.meter.settle(request_id, end(completion=5))
    desk.meter.settle(request_id, end("client_gone", completion=99))
    assert (desk.row(request_id).outcome, desk.row(request_id).completion_tokens) == ("completed", 5)
    desk.check_sums()


def test_settling_an_unknown_request_changes_nothing(desk: Desk) -> None:
    desk.meter.settle("req_unknown", end())
    assert desk.days() == []


@pytest.mark.parametrize(
    ("outcome", "prompt", "completion", "counted"),
    [
        ("completed", 10, 5, (10, 5)),
        ("completed", 10, 0, (10, 0)),
        ("client_gone", 10, 5, (10, 5)),
        ("client_gone", 10, 0, (0, 0)),
        ("upstream_error", 10, 0, (0, 0)),
        ("refused", 10, 0, (0, 0)),
        ("stream_error", 10, 5, (0, 5)),
        ("server_shutdown", 10, 5, (0, 5)),
        ("server_shutdown", 10, 0, (0, 0)),
        ("worker_died", 10, 5, (0, 5)),
    ],
)
def test_the_outcome_decides_what_counts(
    desk: Desk, outcome: str, prompt: int, completion: int, counted: tuple[int, int]
) -> None:
    request_id = desk.admit(desk.caller())
    desk.meter.settle(request_id, end(outcome, prompt, completion))
    row = desk.row(request_id)
    assert (row.prompt_tokens, row.completion_tokens) == (prompt, completion)
    assert (row.counted_prompt_tokens, row.counted_completion_tokens) == counted
    assert row.cost_nanousd == 40 * sum(counted)
    desk.check_sums()


def test_the_answer_is_clamped_to_what_is_left_of_the_day(desk: Desk) -> None:
    caller = desk.caller()
    desk.spend(caller, 4000, 5000)
    grant = desk.meter.admit(desk.admission(caller, 100, 8000))
    assert grant.output_tokens == 900
    assert grant.limits == LimitState("tokens_per_day", "account", limit=10_000, remaining=0, reset_s=12 * 3600)


def test_a_used_up_day_is_refused_until_midnight_and_says_not_to_retry(desk: Desk) -> None:
    caller = desk.caller()
    desk.spend(caller, 5000, 5000)
    desk.clock.forward(hours=11, minutes=59, seconds=30)
    error = refusal(desk, caller, 1, 1)
    assert (error.code, error.retry_after_s) == ("tokens_per_day", 30)
    assert error.headers == (("x-should-retry", "false"),)
    desk.clock.forward(seconds=30)
    desk.admit(caller, 1, 1)


def test_a_day_held_by_open_requests_may_be_tried_again_soon(desk: Desk) -> None:
    caller = desk.caller()
    first = desk.admit(caller, 1000, 9000)
    error = refusal(desk, caller, 1, 1)
    assert (error.code, error.retry_after_s, error.headers) == ("tokens_per_day", 2, ())
    desk.meter.settle(first, end(prompt=1000, completion=1))
    desk.admit(caller, 1, 1)


def test_a_prompt_larger_than_what_is_left_is_refused_with_both_numbers(desk: Desk) -> None:
    caller = desk.caller()
    desk.spend(caller, 9000, 0)
    assert "has 1,000 left, and this request needs 1,001 at least" in refusal(desk, caller, 1000, 10).message


def test_embeddings_need_no_room_for_an_answer(desk: Desk) -> None:
    caller = desk.caller()
    desk.spend(caller, 9000, 0)
    admission = desk.admission(caller, 1000, 0, model=NOMIC, endpoint="embeddings", stream=False)
    assert desk.meter.admit(admission).output_tokens == 0


def test_a_stream_over_midnight_belongs_to_the_day_it_was_admitted(desk: Desk) -> None:
    caller = desk.caller()
    desk.clock.forward(hours=11, minutes=59)
    request_id = desk.admit(caller, 1000, 9000)
    desk.clock.forward(minutes=2)
    desk.admit(caller, 1000, 9000)
    desk.meter.settle(request_id, end(prompt=1000, completion=50))
    assert [(day.day, day.prompt_tokens, day.held_tokens) for day in desk.days()] == [
        ("2026-11-22", 1000, 0),
        ("2026-11-23", 0, 10_000),
    ]
    desk.check_sums()


def test_all_live_keys_of_an_account_use_up_one_budget(desk: Desk) -> None:
    first, second, stranger = desk.caller(), desk.caller(), desk.caller(account="bob")
    desk.spend(first, 5000, 4000)
    desk.spend(second, 500, 500)
    assert refusal(desk, first, 1, 1).code == "tokens_per_day"
    desk.admit(stranger, 1, 1)
    desk.check_sums()


def test_a_key_may_have_a_smaller_budget_of_its_own(desk: Desk) -> None:
    small, other = desk.caller(tokens_per_day=100), desk.caller()
    desk.spend(small, 60, 40)
    error = refusal(desk, small, 1, 1)
    assert "This key's own daily budget of 100 tokens" in error.message
    desk.admit(other, 100, 100)


def test_more_requests_at_the_same_time_than_the_plan_allows_are_refused(desk: Desk) -> None:
    caller = desk.caller()
    open_ids = [desk.admit(caller) for _ in range(10)]
    error = refusal(desk, caller, 10, 20)
    assert (error.code, error.retry_after_s) == ("concurrent_requests", 1)
    desk.meter.settle(open_ids[3], end())
    desk.admit(caller)


def test_tokens_per_minute_is_a_moving_window(desk: Desk) -> None:
    caller = desk.caller("payg")
    made.credit(desk.store, "ada", nanousd("5"))
    desk.spend(caller, 40_000, 0)
    desk.clock.forward(seconds=20)
    desk.spend(caller, 50_000, 0)
    assert desk.meter.limits(caller) == LimitState(
        "tokens_per_minute", "account", limit=100_000, remaining=10_000, reset_s=60
    )
    error = refusal(desk, caller, 30_000, 10)
    assert (error.code, error.retry_after_s, error.headers) == ("tokens_per_minute", 40, ())
    desk.clock.forward(seconds=39.9)
    refusal(desk, caller, 30_000, 10)
    desk.clock.forward(seconds=0.1)
    desk.admit(caller, 30_000, 10)
    desk.check_sums()


def test_a_minute_held_by_open_requests_may_be_tried_again_soon(desk: Desk) -> None:
    caller = desk.caller("payg")
    made.credit(desk.store, "ada", nanousd("5"))
    first = desk.admit(caller, 1_000, 99_000)
    error = refusal(desk, caller, 10, 10)
    assert (error.code, error.retry_after_s) == ("tokens_per_minute", 2)
    assert "0 are used and 100,000 are held by a request that is still being answered" in error.message
    desk.meter.settle(first, end(prompt=1_000, completion=10))
    desk.admit(caller, 10, 10)


def test_a_request_that_no_minute_can_hold_is_told_so(desk: Desk) -> None:
    caller = desk.caller("payg")
    made.credit(desk.store, "ada", nanousd("5"))
    error = refusal(desk, caller, 100_000, 10)
    assert "more than the 100,000 a minute" in error.message
    assert error.headers == (("x-should-retry", "false"),)


def test_credits_are_held_and_then_spent_at_the_models_prices(desk: Desk) -> None:
    caller = desk.caller("payg")
    made.credit(desk.store, "ada", 100_000)
    request_id = desk.admit(caller, 100, 500)
    assert desk.balance().held_nanousd == 600 * 40
    desk.meter.settle(request_id, end(prompt=100, completion=20))
    assert (desk.balance().held_nanousd, desk.balance().spent_nanousd) == (0, 120 * 40)
    assert desk.days()[0].prepaid_nanousd == 120 * 40
    desk.check_sums()


def test_the_answer_is_clamped_to_what_the_credits_cover(desk: Desk) -> None:
    caller = desk.caller("payg")
    made.credit(desk.store, "ada", 40 * 130)
    assert desk.meter.admit(desk.admission(caller, 100, 5000)).output_tokens == 30
    with pytest.raises(InsufficientCredits, match="still being answered hold a part"):
        desk.admit(caller, 1, 1)


def test_no_credits_is_a_402(desk: Desk) -> None:
    caller = desk.caller("payg")
    with pytest.raises(InsufficientCredits, match="do not cover this request. Add credits"):
        desk.admit(caller)
    assert desk.days() == []


def test_prices_are_those_of_the_admission(desk: Desk) -> None:
    cheap = Model(**{**PHI.__dict__, "input_nanousd": 1, "output_nanousd": 2})
    request_id = desk.admit(desk.caller(), model=cheap)
    desk.meter.settle(request_id, end(prompt=10, completion=5))
    assert desk.row(request_id).cost_nanousd == 20


def test_a_prompt_that_was_longer_than_its_bound_is_booked_as_it_was(desk: Desk) -> None:
    caller = desk.caller()
    request_id = desk.admit(caller, 9_000, 1_000)
    desk.meter.settle(request_id, end(prompt=9_900, completion=1_000))
    assert refusal(desk, caller, 1, 1).code == "tokens_per_day"
    desk.check_sums()


def test_test_keys_are_recorded_but_cost_and_use_nothing(desk: Desk) -> None:
    live, test = desk.caller(), desk.caller(mode="test")
    desk.spend(test, 50_000, 60_000)
    (day,) = desk.days()
    assert (day.mode, day.requests, day.prompt_tokens, day.completion_tokens) == ("test", 1, 50_000, 60_000)
    assert (day.held_tokens, day.cost_nanousd) == (0, 0)
    assert desk.meter.limits(live).remaining == 10_000
    assert desk.meter.admit(desk.admission(test)).limits == LimitState(
        "tokens_per_day", "account", 10_000, 10_000, 12 * 3600
    )
    desk.check_sums()


def test_test_keys_have_a_concurrency_limit_of_their_own(desk: Desk) -> None:
    live, test = desk.caller(), desk.caller(mode="test")
    for _ in range(100):
        desk.admit(test)
    assert refusal(desk, test, 1, 1).code == "concurrent_requests"
    assert "100 test requests" in refusal(desk, test, 1, 1).message
    for _ in range(10):
        desk.admit(live)
    assert refusal(desk, live, 1, 1).code == "concurrent_requests"


def test_a_refused_admission_leaves_nothing(desk: Desk) -> None:
    caller = desk.caller()
    refusal(desk, caller, 20_000, 1)
    assert desk.days() == []


def test_a_checkpoint_is_what_a_sweeper_books_when_the_worker_died(desk: Desk) -> None:
    request_id = desk.admit(desk.caller(), 100, 200)
    desk.meter.checkpoint(request_id, 90, 30)
    sweeper = Meter(desk.store, clock=desk.clock, owner="another-worker")
    desk.clock.forward(seconds=19)
    assert sweeper.sweep() == 0
    desk.clock.forward(seconds=2)
    assert [sweeper.sweep(), sweeper.sweep()] == [1, 0]
    row = desk.row(request_id)
    assert (row.outcome, row.prompt_tokens, row.completion_tokens) == ("worker_died", 90, 30)
    assert (row.counted_prompt_tokens, row.counted_completion_tokens) == (0, 30)
    desk.check_sums()


def test_a_checkpoint_after_settlement_changes_nothing(desk: Desk) -> None:
    request_id = desk.admit(desk.caller())
    desk.meter.settle(request_id, end(completion=5))
    desk.meter.checkpoint(request_id, 10, 20)
    assert desk.row(request_id).completion_tokens == 5


def test_a_heartbeat_keeps_silent_requests_from_the_sweeper(desk: Desk) -> None:
    request_id = desk.admit(desk.caller())
    sweeper = Meter(desk.store, clock=desk.clock, owner="another-worker")
    for _ in range(10):
        desk.clock.forward(seconds=8)
        assert desk.meter.heartbeat() == 1
        assert sweeper.sweep() == 0
    desk.meter.settle(request_id, end())
    assert desk.meter.heartbeat() == 0


def test_a_row_is_renewed_only_when_its_lease_runs_low(desk: Desk) -> None:
    desk.admit(desk.caller())
    desk.clock.forward(seconds=4)
    assert desk.meter.heartbeat() == 0


def test_the_last_use_of_a_key_is_noted_once_a_minute(desk: Desk) -> None:
    from llmrack.keys import keys

    caller = desk.caller()
    desk.admit(caller)
    first = desk.clock()
    desk.clock.forward(seconds=30)
    desk.admit(caller)
    assert keys.list_all(desk.store)[0].last_used_at == first
    desk.clock.forward(seconds=31)
    desk.admit(caller)
    assert keys.list_all(desk.store)[0].last_used_at == datetime(2026, 11, 22, 12, 1, 1, tzinfo=UTC)


def test_concurrent_admissions_never_overshoot(desk: Desk) -> None:
    caller = desk.caller("business")
    desk.spend(caller, 4_999_000, 0)
    granted: list[int] = []

    def admit_one(admission: object) -> None:
        try:
            granted.append(10 + desk.meter.admit(admission).output_tokens)
        except (RateLimited, Unavailable):
            granted.append(0)

    threads = [threading.Thread(target=admit_one, args=(desk.admission(caller, 10, 240),)) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 1000
    assert len([tokens for tokens in granted if tokens]) == 4
    desk.check_sums()


@pytest.mark.parametrize(
    ("clock", "left_s"),
    [("00:00:00.000000", 86_400), ("00:00:00.000001", 86_400), ("00:00:01.000000", 86_399), ("23:59:59.999999", 1)],
)
def test_the_seconds_to_midnight_are_rounded_up(clock: str, left_s: int) -> None:
    assert limits.seconds_to_midnight(datetime.fromisoformat(f"2026-11-22T{clock}+00:00")) == left_s
