"""The experiments of `script/experiments`, small: limits that hold and a meter that loses nothing."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.experiments import deaths, outages, revocations, schema_costs, tries, upstream, windows
from tests.experiments.__main__ import program
from tests.experiments.rig import Bench, bench


@pytest.fixture(scope="module")
def one() -> Iterator[Bench]:
    """One worker on SQLite, counting requests in memory."""
    with bench() as rig:
        yield rig


@pytest.fixture(scope="module")
def two() -> Iterator[Bench]:
    """Two workers on PostgreSQL and Redis."""
    with bench(workers=2) as rig:
        yield rig


@pytest.fixture
def fragile() -> Iterator[Bench]:
    """Two workers whose stores may be hurt."""
    with bench(workers=2) as rig:
        yield rig


def test_no_schema_of_a_client_holds_up_the_others(one: Bench) -> None:
    schema_costs.served_bombs(one.begin())


def test_tries_at_the_same_moment_on_two_workers_are_counted_one_by_one(two: Bench) -> None:
    tries.at_once(two.begin())


def test_a_crowd_gets_exactly_ten_requests_a_minute_from_one_worker(one: Bench) -> None:
    windows.requests_per_minute(one.begin(), crowd=60)


def test_a_crowd_gets_exactly_ten_requests_a_minute_from_two_workers(two: Bench) -> None:
    windows.requests_per_minute(two.begin(), crowd=60)


def test_a_crowd_never_overshoots_a_budget_on_one_worker(one: Bench) -> None:
    windows.budget(one.begin(), crowd=60)


def test_a_crowd_never_overshoots_a_budget_on_two_workers(two: Bench) -> None:
    windows.budget(two.begin(), crowd=60)


def test_streams_that_the_model_breaks_off_are_charged_as_delivered(one: Bench) -> None:
    upstream.resets(one.begin(), count=50)


def test_the_model_is_freed_and_the_outcome_right_whenever_the_client_leaves(one: Bench) -> None:
    upstream.leaving(one.begin(), times=5, at_a_time=5)


def test_revocations_plans_and_disabled_accounts_hold_on_every_worker_at_once(two: Bench) -> None:
    revocations.changes(two.begin(), times=5)


def test_a_killed_worker_loses_no_row_and_few_tokens(two: Bench) -> None:
    deaths.kill_worker(two.begin(), streams=30, times=1, for_real=False)


def test_a_killed_worker_leaves_no_hold_of_answers_that_had_grown(fragile: Bench) -> None:
    deaths.kill_growing(fragile, streams=12, for_real=False)


def test_a_stopping_server_settles_every_stream() -> None:
    with bench(workers=2, graceful_timeout_s=7) as rig:
        deaths.stop_server(rig, streams=20, how=signal.SIGTERM)


def test_a_killed_postgresql_is_503_and_nothing_goes_unmetered(fragile: Bench) -> None:
    outages.postgresql(fragile, how="kill", for_s=1)


def test_a_stopped_redis_is_503_and_back_at_once(fragile: Bench) -> None:
    outages.redis(fragile, how="stop", for_s=2)


# PostgreSQL has one statement more: the lock on the balance.
@pytest.mark.parametrize(("database", "admit"), [("sqlite", 8), ("postgresql", 9)])
def test_a_crash_after_any_statement_loses_and_doubles_nothing(database: str, admit: int) -> None:
    assert program("crashes", database, 1)["points"] == {
        "admit": admit,
        "grow": admit,
        "checkpoint": 3,
        "settle": 6,
    }


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_killed_requests_never_meet_rows_of_another_account(database: str) -> None:
    program("kills", database, 500)
