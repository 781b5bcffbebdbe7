"""Work that overruns its processor time is interrupted, wherever it is; work that does not is left alone."""

import contextlib
import gc
import threading
import time

import pytest

from llmrack.wire.json_schema.time_budget import TimeBudget, TooCostly


def spin(seconds: float) -> str:
    ends_at = time.thread_time() + seconds
    while time.thread_time() < ends_at:
        pass
    return "done"


def forever() -> None:
    while True:
        # As a library might.
        with contextlib.suppress(Exception):
            [n * n for n in range(1000)]


def test_endless_work_is_interrupted_close_to_its_bound() -> None:
    began = time.thread_time()
    with pytest.raises(TooCostly):
        TimeBudget(0.05).run(forever)
    assert 0.05 <= time.thread_time() - began < 0.1


def test_work_within_its_time_is_left_alone_and_nothing_comes_later() -> None:
    assert TimeBudget(0.05).run(spin, 0.01) == "done"
    assert spin(0.2) == "done"


def test_the_time_is_that_of_all_steps_together() -> None:
    budget = TimeBudget(0.05)
    assert budget.run(spin, 0.03) == "done"
    with pytest.raises(TooCostly):
        budget.run(spin, 0.03)
    with pytest.raises(TooCostly):
        budget.run(spin, 0)


def test_a_longer_budget_goes_in_stretches_between_which_others_run() -> None:
    budget = TimeBudget(0.25)

    def work() -> str:
        for _ in range(4):
            spin(0.03)
            budget.let_others_run()
        return "done"

    assert budget.run(work) == "done"
    with pytest.raises(TooCostly):
        TimeBudget(0.25).run(spin, 0.1)


def test_time_that_others_take_meanwhile_does_not_count() -> None:
    def busy() -> None:
        deadline = time.monotonic() + 0.3
        while time.monotonic() < deadline:
            sum(range(1000))

    other = threading.Thread(target=busy)
    other.start()
    assert TimeBudget(0.05).run(spin, 0.03) == "done"
    other.join()


def test_a_failure_of_the_work_is_its_own_and_the_collector_runs_again() -> None:
    with pytest.raises(ZeroDivisionError):
        TimeBudget(0.05).run(lambda: 1 / 0)
    assert gc.isenabled()


def test_in_another_thread_the_work_runs_without_interruption() -> None:
    found: list[str] = []
    worker = threading.Thread(target=lambda: found.append(TimeBudget(0.01).run(spin, 0.05)))
    worker.start()
    worker.join()
    assert found == ["done"]


def test_work_inside_work_is_bounded_by_the_outer_time() -> None:
    with pytest.raises(TooCostly):
        TimeBudget(0.05).run(lambda: TimeBudget(10).run(spin, 1))
