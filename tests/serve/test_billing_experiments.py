"""The experiments about money of `script/experiments`, small: spending stays within credits and monthly limits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.experiments import money
from tests.experiments.rig import Bench, bench


@pytest.fixture(scope="module", params=[1, 2], ids=["one-worker-on-sqlite", "two-workers-on-postgresql"])
def rig(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with bench(workers=request.param) as rig:
        yield rig


def test_a_crowd_never_spends_more_than_its_credits(rig: Bench) -> None:
    money.credits_left(rig.begin(), crowd=150)


def test_a_crowd_never_spends_more_than_a_month_allows(rig: Bench) -> None:
    money.monthly_limit(rig.begin(), crowd=150)
