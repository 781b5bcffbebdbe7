"""A described fleet played against the scheduler that serves requests: who waits how long, and how much is loaded."""

from __future__ import annotations

import heapq
import itertools
import random
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec

from .scheduler import QueueFull, Rules, Scheduler
from .tickets import Host, Load, Ticket

# How often loads are decided while somebody waits, as the pool does.
PLAN_S = 0.25

Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Tokens = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
Positive = Annotated[float, msgspec.Meta(gt=0)]


class BadScenario(ValueError):
    """A scenario that cannot be played; the message says what is wrong and where."""


class HostGroup(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """So many equal Ollamas. Speeds are one stream's, in tokens a second; a load takes `load_s` seconds."""

    models: Annotated[list[str], msgspec.Meta(min_length=1)]
    count: Count = 1
    parallel: Count = 1
    max_loaded: Count = 1
    tokens_per_s: Positive = 30.0
    prompt_tokens_per_s: Positive = 1000.0
    load_s: Positive = 20.0


class CallerGroup(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """So many equal accounts. Each sends `requests_per_minute` at random, or keeps `at_once` requests open."""

    model: str
    count: Count = 1
    weight: Count = 1
    requests_per_minute: Positive | None = None
    at_once: Count | None = None
    prompt_tokens: Tokens = 1000
    output_tokens: Tokens = 300


class Scenario(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What `flask pool simulate` is given."""

    hosts: Annotated[dict[str, HostGroup], msgspec.Meta(min_length=1)]
    callers: Annotated[dict[str, CallerGroup], msgspec.Meta(min_length=1)]
    minutes: Annotated[float, msgspec.Meta(gt=0, le=10_080)] = 60.0
    seed: int = 1
    queue_max: Count = 1000
    queue_wait_max_s: Positive = 300.0
    switch_min_resident_s: Annotated[float, msgspec.Meta(ge=0)] = 30.0


class Waits(msgspec.Struct):
    """What one group of callers met. Waits are seconds from the request to its slot, of those that had one."""

    name: str
    requests: int = 0
    answered: int = 0
    refused: int = 0
    timed_out: int = 0
    waits_s: list[float] = []

    def quantile_s(self, share: float) -> float:
        ordered = sorted(self.waits_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Outcome(msgspec.Struct):
    """What a scenario led to.

    `slots_needed` is the work that came in, as slots that are always busy, at the speed of the first hosts.
    """

    callers: list[Waits]
    slots: int
    busy_share: float
    loads_per_hour: float
    answers_per_minute: float
    slots_needed: float


def read(path: Path) -> Scenario:
    """Raises BadScenario."""
    try:
        scenario = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Scenario, strict=False)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as exc:
        raise BadScenario(f"{path}: {exc}") from exc
    known = {model for group in scenario.hosts.values() for model in group.models}
    for name, group in scenario.callers.items():
        if (group.requests_per_minute is None) == (group.at_once is None):
            raise BadScenario(f"{path}: callers {name} take either requests_per_minute or at_once")
        if group.model not in known:
            raise BadScenario(f"{path}: no host has the model {group.model} of callers {name}")
    return scenario


def play(scenario: Scenario, *, is_fair: bool = True) -> Outcome:
    """Without `is_fair` every request stands in one line, first come, first served; all else stays the same."""
    return _Game(scenario, is_fair=is_fair).play()


class _Game:
    def __init__(self, scenario: Scenario, *, is_fair: bool) -> None:
        self._scenario = scenario
        self._is_fair = is_fair
        self._rng = random.Random(scenario.seed)  # noqa: S311 - the same scenario must give the same figures
        self._now = 0.0
        self._end_s = scenario.minutes * 60
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._groups: dict[str, HostGroup] = {}
        hosts = []
        for kind, group in scenario.hosts.items():
            for replica in range(group.count):
                name = f"{kind} {replica + 1}"
                self._groups[name] = group
                hosts.append(Host(name, group.parallel, group.max_loaded))
        rules = Rules(scenario.queue_max, scenario.queue_wait_max_s, scenario.switch_min_resident_s)
        self._scheduler = Scheduler(rules, hosts, choose=self._rng.choice)
        for host in hosts:
            self._scheduler.host_up(host.name, self._groups[host.name].models, (), 0.0)
        self._waits = [Waits(name) for name in scenario.callers]
        self._kinds = list(scenario.callers.values())
        self._first_hosts = next(iter(scenario.hosts.values()))
        self._callers: dict[Ticket, tuple[int, int]] = {}
        self._loads = 0
        self._busy_s = self._work_s = 0.0
        self._is_planned = False

    def play(self) -> Outcome:
        accounts = itertools.count(1)
        for number, group in enumerate(self._kinds):
            for account in itertools.islice(accounts, group.count):
                for _ in range(group.at_once or 0):
                    self._at(0.0, lambda n=number, a=account: self._ask(n, a))  # type: ignore[misc]
                if group.requests_per_minute is not None:
                    self._arrive(number, account)
        while self._events and self._events[0][0] <= self._end_s:
            self._now, _, happen = heapq.heappop(self._events)
            happen()
        slots = sum(host.parallel for host in self._scheduler.hosts.values())
        answered = sum(waits.answered for waits in self._waits)
        return Outcome(
            callers=self._waits,
            slots=slots,
            busy_share=self._busy_s / (slots * self._end_s),
            loads_per_hour=self._loads * 3600 / self._end_s,
            answers_per_minute=answered * 60 / self._end_s,
            slots_needed=self._work_s / self._end_s,
        )

    def _at(self, seconds: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self._now + seconds, next(self._order), happen))

    def _arrive(self, number: int, account: int) -> None:
        """The next request of an account whose requests come at random."""
        per_minute = self._kinds[number].requests_per_minute or 1.0

        def arrived() -> None:
            self._ask(number, account)
            self._arrive(number, account)

        self._at(self._rng.expovariate(per_minute / 60), arrived)

    def _ask(self, number: int, account: int) -> None:
        group, waits = self._kinds[number], self._waits[number]
        output = max(1, round(self._rng.expovariate(1 / group.output_tokens)))
        ticket = Ticket(
            model=group.model,
            account=account if self._is_fair else 0,
            weight=group.weight if self._is_fair else 1,
            prompt_tokens=group.prompt_tokens,
            most_output_tokens=output,
            prefix=account,
            asked_at=self._now,
        )
        waits.requests += 1
        self._callers[ticket] = (number, account)
        self._work_s += self._service_s(self._first_hosts, ticket)
        try:
            self._grant(self._scheduler.ask(ticket))
        except QueueFull as full:
            waits.refused += 1
            del self._callers[ticket]
            self._go_on(number, account, max(1.0, full.retry_after_s))
            return
        if ticket.host is None:
            self._at(self._scenario.queue_wait_max_s, lambda: self._give_up(ticket))
            self._plan_soon()

    @staticmethod
    def _service_s(group: HostGroup, ticket: Ticket) -> float:
        return ticket.prompt_tokens / group.prompt_tokens_per_s + ticket.most_output_tokens / group.tokens_per_s

    def _grant(self, granted: list[Ticket]) -> None:
        for ticket in granted:
            self._waits[self._callers[ticket][0]].waits_s.append(self._now - ticket.asked_at)
            seconds = self._service_s(self._groups[str(ticket.host)], ticket)
            self._busy_s += min(seconds, self._end_s - self._now)
            self._at(seconds, lambda ticket=ticket: self._answered(ticket))  # type: ignore[misc]

    def _answered(self, ticket: Ticket) -> None:
        number, account = self._callers.pop(ticket)
        self._waits[number].answered += 1
        self._grant(self._scheduler.done(ticket, ticket.prompt_tokens, ticket.most_output_tokens, self._now))
        self._go_on(number, account, 0.0)

    def _go_on(self, number: int, account: int, seconds: float) -> None:
        """An account that keeps requests open sends the next one."""
        if self._kinds[number].at_once is not None:
            self._at(seconds, lambda: self._ask(number, account))

    def _give_up(self, ticket: Ticket) -> None:
        if ticket not in self._callers or ticket.host is not None:
            return
        number, account = self._callers.pop(ticket)
        self._waits[number].timed_out += 1
        self._grant(self._scheduler.cancel(ticket, self._now))
        self._go_on(number, account, 1.0)

    def _plan_soon(self) -> None:
        if not self._is_planned:
            self._is_planned = True
            self._at(PLAN_S, self._plan)

    def _plan(self) -> None:
        self._is_planned = False
        for action in self._scheduler.plan(self._now):
            name, model = action.host, action.model
            if isinstance(action, Load):
                self._loads += 1
                load_s = self._groups[name].load_s
                self._at(load_s, lambda n=name, m=model: self._grant(self._scheduler.loaded(n, m, self._now)))  # type: ignore[misc]
            else:
                self._scheduler.unloaded(name, model)
        if self._scheduler.waiting:
            self._plan_soon()
