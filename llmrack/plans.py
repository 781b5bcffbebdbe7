"""The plans on offer, read from `data/plans.toml` and the operator's `instance/plans.toml`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from . import datafile, money
from .errors import CannotStart

DATA = Path(__file__).parent / "data" / "plans.toml"


class BadPlans(CannotStart):
    """Plans the server cannot start with; the message names file, line, plan and what is wrong."""


@dataclass(frozen=True)
class Plan:
    """One plan. Limits are an account's, all its live keys together; None means that the plan has no such limit.

    Its test keys together have the two limits that begin with `test_`, and none on tokens.
    Everybody sees and can take a plan that `is_public`; any other is given by an operator.
    """

    id: str
    name: str
    for_whom: str
    requests_per_minute: int
    concurrent_requests: int
    monthly_nanousd: int
    tokens_per_day: int | None = None
    tokens_per_minute: int | None = None
    reads_per_minute: int = 600
    test_requests_per_minute: int = 600
    test_concurrent_requests: int = 100
    queue_weight: int = 1
    is_prepaid: bool = False
    is_default: bool = False
    is_public: bool = False

    @property
    def usd_per_month(self) -> Decimal:
        return money.usd(self.monthly_nanousd)


def current_id(plan_id: str | None, ends_at: Any, next_plan_id: str | None, now: Any) -> str | None:
    """Which of an account's two plans holds at `now` (times of one kind); None is the default one."""
    return next_plan_id if ends_at is not None and ends_at <= now else plan_id


class Plans:
    """The plans by id, in the order of the files."""

    def __init__(self, plans: tuple[Plan, ...]) -> None:
        self._plans = {plan.id: plan for plan in plans}
        self.default = next(plan for plan in plans if plan.is_default)

    def __iter__(self) -> Iterator[Plan]:
        return iter(self._plans.values())

    def get(self, plan_id: str) -> Plan | None:
        return self._plans.get(plan_id)

    def in_force(self, plan_id: str | None, ends_at: Any, next_plan_id: str | None, now: Any) -> Plan:
        """What an account has at `now`, from its own columns (times of one kind): without a plan the default one."""
        return self.get_or_default(current_id(plan_id, ends_at, next_plan_id, now))

    def get_or_default(self, plan_id: str | None) -> Plan:
        """The default one also stands for a plan that the files no longer have."""
        return self._plans.get(plan_id or "") or self.default

    @property
    def public(self) -> tuple[Plan, ...]:
        """Those that are shown and can be chosen."""
        return tuple(plan for plan in self if plan.is_public)

    def offered(self, plan_id: str) -> Plan | None:
        """The plan that anybody may choose by this id. A plan of an operator's is as unknown as one that is not."""
        return next((plan for plan in self.public if plan.id == plan_id), None)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._plans)


def load(*paths: Path) -> Plans:
    """The shipped plans, then those of each of `paths` that exists: a known id overrides key by key."""
    entries = datafile.read("plans", "plan", BadPlans, DATA, *paths)
    plans = tuple(_plan(entry) for entry in entries)
    defaults = [entry for entry, plan in zip(entries, plans, strict=True) if plan.is_default]
    if len(defaults) != 1:
        last = defaults[-1].where["is_default"] if defaults else str(DATA)
        raise BadPlans(f"{last}: exactly one plan must have is_default = true, and {len(defaults)} have")
    return Plans(plans)


def _plan(entry: datafile.Entry) -> Plan:
    plan = datafile.build(Plan, entry, {"monthly_nanousd": ("usd_per_month", money.nanousd)})
    entry.check(
        ("id", bool(re.fullmatch(r"[a-z0-9][a-z0-9._-]*", plan.id)), "must be lower-case letters, digits, . _ -"),
        ("requests_per_minute", plan.requests_per_minute > 0, "must be at least 1"),
        ("reads_per_minute", plan.reads_per_minute > 0, "must be at least 1"),
        ("concurrent_requests", plan.concurrent_requests > 0, "must be at least 1"),
        ("queue_weight", plan.queue_weight > 0, "must be at least 1"),
        ("test_requests_per_minute", plan.test_requests_per_minute > 0, "must be at least 1"),
        ("test_concurrent_requests", plan.test_concurrent_requests > 0, "must be at least 1"),
        ("tokens_per_day", plan.tokens_per_day is None or plan.tokens_per_day > 0, "must be at least 1, or left out"),
        (
            "tokens_per_minute",
            plan.tokens_per_minute is None or plan.tokens_per_minute > 0,
            "must be at least 1, or left out",
        ),
    )
    return plan
