"""Moving windows in this process: exact, and forgotten when nobody uses them any more."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from blueprints.web import rate_limit_storage
from blueprints.web.rate_limit_storage import WorkerStorage

TEN = RateLimitItemPerMinute(10)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock the windows read: set its only item."""
    at = [time.time()]
    monkeypatch.setattr(rate_limit_storage.time, "time", lambda: at[0])
    return at


@pytest.fixture
def storage() -> WorkerStorage:
    made = storage_from_string("worker://", wrap_exceptions=True)
    assert isinstance(made, WorkerStorage)
    return made


def test_a_window_moves_with_its_oldest_hit(storage: WorkerStorage, now: list[float]) -> None:
    limiter = MovingWindowRateLimiter(storage)
    assert all(limiter.hit(TEN, "ada") for _ in range(5))
    now[0] += 30
    assert [limiter.hit(TEN, "ada") for _ in range(6)] == [True] * 5 + [False]
    stats = limiter.get_window_stats(TEN, "ada")
    assert (stats.remaining, stats.reset_time - now[0]) == (0, 30)
    now[0] += 30.5
    assert [limiter.hit(TEN, "ada") for _ in range(6)] == [True] * 5 + [False]


def test_a_refused_hit_is_not_counted_and_keys_do_not_share(storage: WorkerStorage, now: list[float]) -> None:
    limiter = MovingWindowRateLimiter(storage)
    for _ in range(50):
        limiter.hit(TEN, "ada")
    assert limiter.get_window_stats(TEN, "ada").remaining == 0
    assert limiter.get_window_stats(TEN, "bob").remaining == 10


def test_a_crowd_of_threads_gets_exactly_the_limit(storage: WorkerStorage) -> None:
    limiter = MovingWindowRateLimiter(storage)
    with ThreadPoolExecutor(8) as pool:
        passed = sum(pool.map(lambda _: limiter.hit(TEN, "ada"), range(200)))
    assert passed == 10


def test_keys_that_nobody_uses_are_forgotten(storage: WorkerStorage, now: list[float]) -> None:
    limiter = MovingWindowRateLimiter(storage)
    for number in range(100):
        limiter.hit(TEN, f"caller-{number}")
    now[0] += 61
    limiter.hit(TEN, "ada")
    assert storage.reset() == 1
