"""A migrated database and what services need around it: fixtures that run each test on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select

from llmrack import catalog, plans
from llmrack.keys import authentication
from llmrack.keys.authentication import Caller
from llmrack.metering.meter import Admission, Meter, Settlement
from llmrack.plans import Plan, Plans
from llmrack.store.database import Store, engine_options
from llmrack.store.tables.base import Base
from llmrack.store.tables.usage import Balance, Usage, UsageDay
from tests.support import made
from tests.support.databases import shared_postgresql

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
CATALOG = catalog.load()
PHI = CATALOG.get("phi-3-mini")
NOMIC = CATALOG.get("nomic-embed")


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty database with the tables of the models (tests/store proves that migrations make the same ones)."""
    url = f"sqlite:///{tmp_path}/test.db" if request.param == "sqlite" else shared_postgresql().create()
    with opened(url) as made:
        Base.metadata.create_all(made.engine)
        yield made


class opened:
    """`with opened(url) as store`: closes every connection at the end."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, **engine_options(url))

    def __enter__(self) -> Store:
        return Store(self._engine)

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **delta: float) -> None:
        self.now += timedelta(**delta)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def meter(store: Store, clock: Clock) -> Meter:
    return Meter(store, clock=clock, owner="this-worker")


@dataclass
class Desk:
    """Short ways to make what a test of the meter needs, on one store and clock."""

    store: Store
    meter: Meter
    clock: Clock
    plans: Plans = field(default_factory=plans.load)
    _ids: Any = field(default_factory=itertools.count)

    def caller(self, plan: str | Plan = "free", mode: str = "live", account: str = "ada", **limits: Any) -> Caller:
        """A new key of `account`, resolved as a request would. `plan` may be one that no file has."""
        known = self.plans.get(plan) if isinstance(plan, str) else plan
        made.account(self.store, account, self.clock(), known)
        issued = made.key(self.store, name="k", mode=mode, account=account, now=self.clock(), **limits)
        caller = authentication.resolve(self.store, self.plans, issued.secret, self.clock())
        if isinstance(plan, Plan):
            caller = Caller(**{**caller.__dict__, "plan": plan})
        return caller

    def admission(self, caller: Caller, prompt: int = 10, output: int = 20, model: Any = PHI, **more: Any) -> Admission:
        values = {"endpoint": "chat", "user": None, "stream": True, "request_id": f"req_{next(self._ids):032x}"}
        return Admission(caller=caller, model=model, prompt_tokens=prompt, output_tokens=output, **(values | more))

    def admit(self, caller: Caller, prompt: int = 10, output: int = 20, **more: Any) -> str:
        """Admit a request and return its id."""
        admission = self.admission(caller, prompt, output, **more)
        self.meter.admit(admission)
        return admission.request_id

    def spend(self, caller: Caller, prompt: int, completion: int, **more: Any) -> str:
        """One whole request that takes exactly these tokens."""
        request_id = self.admit(caller, prompt, completion, **more)
        self.meter.settle(request_id, Settlement("completed", prompt, completion))
        return request_id

    def row(self, request_id: str) -> Any:
        with self.store.read() as connection:
            return connection.execute(select(Usage.__table__).where(Usage.request_id == request_id)).one()

    def days(self) -> list[Any]:
        with self.store.read() as connection:
            return list(connection.execute(select(UsageDay.__table__).order_by(UsageDay.day, UsageDay.key_id)))

    def balance(self) -> Any:
        with self.store.read() as connection:
            return connection.execute(select(Balance.__table__)).one()

    def check_sums(self) -> None:
        assert_sums(self.store)


@pytest.fixture
def desk(store: Store, meter: Meter, clock: Clock) -> Desk:
    return Desk(store, meter, clock)


def assert_sums(store: Store) -> None:
    """Every day total and every balance equals the sum of its usage rows."""
    same = (Usage.account_id, Usage.mode, Usage.day, Usage.key_id, Usage.model_id)
    settled = Usage.state == "settled"

    def total(column: Any, condition: Any) -> Any:
        return func.coalesce(func.sum(column).filter(condition), 0)

    sums = select(
        *same,
        func.count().filter(settled),
        total(Usage.counted_prompt_tokens, settled),
        total(Usage.counted_completion_tokens, settled),
        total(Usage.held_tokens, ~settled),
        total(Usage.cost_nanousd, settled),
        total(Usage.cost_nanousd, settled & Usage.is_prepaid),
    ).group_by(*same)
    credit = select(
        Usage.account_id, total(Usage.cost_nanousd, settled & Usage.is_prepaid), total(Usage.held_nanousd, ~settled)
    ).group_by(Usage.account_id)
    with store.read() as connection:
        assert {tuple(row) for row in connection.execute(sums)} == {
            tuple(row) for row in connection.execute(select(UsageDay.__table__))
        }
        balances = select(Balance.account_id, Balance.spent_nanousd, Balance.held_nanousd)
        stored = {tuple(row) for row in connection.execute(balances)}
        summed = {tuple(row) for row in connection.execute(credit)}
    assert {row for row in stored if row[1:] != (0, 0)} <= summed
    assert {row for row in summed if row[1:] != (0, 0)} <= stored
