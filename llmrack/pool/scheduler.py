"""Who is next and where: one pure object, fed with events and a clock, that never waits and never does anything."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from .queue import FairQueue
from .tickets import Host, Load, Residency, Resident, Ticket, Unload

K = TypeVar("K")

# What an answer is taken for before the first one of its account and model is known.
FIRST_OUTPUT_TOKENS = 256
# What a load is taken to last before the first one of its model is known.
FIRST_LOAD_S = 5.0
# A model that had no request for so long gives its place to a further replica of another.
IDLE_S = 300.0
# One of several replicas moves to another model when it has been there for so long, and the replicas that stay are
# pressed at most by this share of what presses the other model. Found with `simulation`.
MOVE_MIN_RESIDENT_S = 300
MOVE_PRESSURE = 0.3
# An average over about the last ten.
SMOOTHING = 0.1
# A token of an answer takes its own pass through the model, those of a prompt are read together.
OUTPUT_WEIGHT = 2.0
# Waits after a first, second and further load in a row that failed.
RETRY_LOAD_S = (30.0, 120.0, 300.0, 600.0)


class QueueFull(Exception):
    """No more may wait. `retry_after_s` is when the queue is expected to be half as long."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("the queue is full")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class Rules:
    """The settings of the policy. `switch_min_resident_s` is how long a model stays at least before another's turn."""

    queue_max: int = 1000
    queue_wait_max_s: float = 300.0
    switch_min_resident_s: float = 30.0


class Scheduler:
    """The queue, the hosts and the decisions. Not for several threads at once; the caller holds a lock.

    Each event returns the tickets that were granted a slot by it; their `host` is set.
    """

    def __init__(
        self, rules: Rules, hosts: Iterable[Host], choose: Callable[[list[Host]], Host] = random.choice
    ) -> None:
        self.rules = rules
        self.hosts = {host.name: host for host in hosts}
        self._choose = choose
        self._queue = FairQueue()
        self._outputs: dict[tuple[int, str], float] = {}
        self._seconds: dict[str, float] = {}
        self._samples: dict[str, int] = {}
        self._load_s: dict[tuple[str, str], float] = {}

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return self._queue.waiting

    def ask(self, ticket: Ticket) -> list[Ticket]:
        """Put a request into the queue. Raises QueueFull."""
        wait_s = self.predicted_wait_s(ticket.model)
        if self.waiting >= self.rules.queue_max or (wait_s or 0.0) > self.rules.queue_wait_max_s:
            raise QueueFull((wait_s or 0.0) / 2)
        expected = self._outputs.get((ticket.account, ticket.model), FIRST_OUTPUT_TOKENS)
        ticket.service = ticket.prompt_tokens + OUTPUT_WEIGHT * min(expected, ticket.most_output_tokens)
        self._queue.add(ticket)
        return self.dispatch(ticket.asked_at)

    def ask_again(self, ticket: Ticket, now: float) -> list[Ticket]:
        """A request whose host failed before any answer goes back to the head of its account's queue."""
        self._queue.add(ticket, is_first=True)
        return self.dispatch(now)

    def cancel(self, ticket: Ticket, now: float) -> list[Ticket]:
        """The client left, or waited too long. A slot that was granted meanwhile is given back unused."""
        if ticket.host is not None:
            return self.done(ticket, 0, 0, now, is_served=False)
        self._queue.remove(ticket)
        return []

    def done(
        self, ticket: Ticket, prompt_tokens: int, output_tokens: int, now: float, *, is_served: bool = True
    ) -> list[Ticket]:
        """A request ended with these counts; its slot is free."""
        if ticket.host is None:
            return []
        if is_served:
            self._learn(self._outputs, (ticket.account, ticket.model), output_tokens)
            self._learn(self._seconds, ticket.model, now - ticket.granted_at)
            self._samples[ticket.model] = self._samples.get(ticket.model, 0) + 1
        self._free(ticket, prompt_tokens + OUTPUT_WEIGHT * output_tokens)
        return self.dispatch(now)

    def dispatch(self, now: float) -> list[Ticket]:
        """Give free slots to those who are next, until nothing fits. What cannot run holds up nothing else."""
        granted: list[Ticket] = []
        while (found := self._next()) is not None:
            ticket, hosts = found
            host = self._host_for(ticket, hosts)
            self._queue.start(ticket)
            resident = host.models[ticket.model]
            resident.active += 1
            resident.used_at = now
            resident.prefixes.append(ticket.prefix)
            while len(resident.prefixes) > host.slots(ticket.model):
                resident.prefixes.popleft()
            ticket.host, ticket.granted_at = host.name, now
            granted.append(ticket)
        return granted

    def _next(self) -> tuple[Ticket, list[Host]] | None:
        """The first ticket of the account with the smallest counter among those that a host has a slot for."""
        best: tuple[float, float, Ticket, list[Host]] | None = None
        for model in self._queue.models:
            free = [host for host in self.hosts.values() if _has_slot(host, model)]
            if not free:
                continue
            for rank, ticket in self._queue.heads(model):
                hosts = [host for host in free if host.name not in ticket.tried] or free
                if best is None or rank < best[:2]:
                    best = (*rank, ticket, hosts)
        return None if best is None else (best[2], best[3])

    def _host_for(self, ticket: Ticket, hosts: list[Host]) -> Host:
        """One that served this prompt's beginning last and so need not read it again, else the least busy."""
        warm = [host for host in hosts if ticket.prefix in host.models[ticket.model].prefixes]
        least = min(host.active for host in (warm or hosts))
        return self._choose([host for host in (warm or hosts) if host.active == least])

    def _free(self, ticket: Ticket, service: float) -> None:
        host = self.hosts.get(ticket.host or "")
        resident = host.models.get(ticket.model) if host else None
        if resident is not None:
            # Never below nothing: a host that was lost and came back has forgotten its requests.
            resident.active = max(0, resident.active - 1)
        self._queue.end(ticket, service)
        ticket.host = None

    @staticmethod
    def _learn(averages: dict[K, float], key: K, value: float) -> None:
        old = averages.get(key)
        averages[key] = value if old is None else old + SMOOTHING * (value - old)

    def position(self, ticket: Ticket) -> int:
        """How many requests go before this one, at least 1 for itself, as things are."""
        return self._queue.position(ticket)

    def predicted_wait_s(self, model: str, position: int | None = None) -> float | None:
        """Seconds until a request at this position has a slot; None while too little is known."""
        slots = sum(host.slots(model) for host in self.hosts.values() if _is_resident(host, model))
        if not slots or self._samples.get(model, 0) < 5:
            return None
        if position is None:
            position = self._queue.count(model)
        return position / slots * self._seconds[model]

    def is_loading(self, model: str) -> float | None:
        """When the load of this model began, while no host holds it yet."""
        states = [host.models[model] for host in self.hosts.values() if model in host.models]
        if any(resident.state is Residency.RESIDENT for resident in states):
            return None
        return min((one.since for one in states if one.state is Residency.LOADING), default=None)

    def load_s(self, model: str) -> float | None:
        """How long loads of this model took; None before the first."""
        known = [seconds for (_, name), seconds in self._load_s.items() if name == model]
        return sum(known) / len(known) if known else None

    def can_ever_serve(self, model: str) -> bool:
        """Whether a host that is given requests has the model."""
        return any(host.is_usable and model in host.installed for host in self.hosts.values())

    def may_be_elsewhere(self, model: str) -> bool:
        """Whether a host that is given no requests now has the model, or has not told yet what it has."""
        return any(model in host.installed or not host.is_seen for host in self.hosts.values() if not host.is_usable)

    def may_load_somewhere(self, model: str, now: float) -> bool:
        """Whether a host can hold the model now, or load it without waiting for an earlier failure to be forgotten."""
        return any(
            host.is_usable and model in host.installed and now >= host.failures.get(model, (now, 0))[0]
            for host in self.hosts.values()
        )

    def queued(self) -> dict[str, int]:
        """How many wait, by model."""
        return {model: self._queue.count(model) for model in self._queue.models}

    def host_up(self, name: str, installed: Iterable[str], resident: Iterable[str], now: float) -> list[Ticket]:
        """A host answered, has these models and holds these in memory."""
        host = self.hosts.get(name)
        if host is None:
            return []
        host.is_up, host.is_seen, host.installed = True, True, frozenset(installed)
        held = set(resident)
        for model in held - host.models.keys():
            host.models[model] = Resident(Residency.RESIDENT, now)
        for model in [model for model in host.models if model not in held]:
            # A model that is being loaded is absent until it is there; one with requests may have just come.
            one = host.models[model]
            if one.state in (Residency.RESIDENT, Residency.DRAINING) and not one.active:
                del host.models[model]
        return self.dispatch(now)

    def host_down(self, name: str) -> None:
        """A host does not answer: it is given nothing, and what it held is unknown."""
        host = self.hosts.get(name)
        if host is None:
            return
        host.is_up = False
        host.models = {model: one for model, one in host.models.items() if one.active}

    def add(self, host: Host) -> None:
        """A further host. It is given requests once it has answered."""
        self.hosts[host.name] = host

    def remove(self, name: str) -> None:
        """A host is no longer there. Its requests go on, and no other takes their places."""
        self.hosts.pop(name, None)

    def change(self, name: str, parallel: int, max_loaded: int, *, is_drained: bool, now: float) -> list[Ticket]:
        """The operator's word on a host: its limits, and whether it is given no new requests."""
        host = self.hosts[name]
        host.parallel, host.max_loaded, host.is_drained = parallel, max_loaded, is_drained
        return self.dispatch(now)

    def is_idle(self, name: str) -> bool:
        """Whether a host has no request, and no load or unload on its way."""
        host = self.hosts.get(name)
        return host is None or not (host.active or host.is_busy_loading)

    def plan(self, now: float) -> list[Load | Unload]:
        """What is to be loaded and unloaded now. Each is told once; `loaded`, `load_failed`, `unloaded` are its end."""
        actions: list[Load | Unload] = list(self._finished_drains(now))
        for model in sorted(self._queue.models, key=self._queue.oldest):
            has_replica = any(_replica(host, model) for host in self.hosts.values() if host.is_up)
            if not has_replica or self._is_worth_another(model, now):
                action = self._make_room(model, now, is_further=has_replica)
                if action is not None:
                    actions.append(action)
        return actions

    def _finished_drains(self, now: float) -> Iterator[Unload]:
        for host in self.hosts.values():
            for model, one in host.models.items():
                if one.state is not Residency.DRAINING:
                    continue
                if host.is_drained or one.for_model is None or one.for_model not in self._queue:
                    # Those who wanted the other model have left, or it may not be loaded here any more.
                    one.state, one.for_model = Residency.RESIDENT, None
                elif not one.active:
                    one.state, one.since = Residency.UNLOADING, now
                    yield Unload(host.name, model)

    def _is_worth_another(self, model: str, now: float) -> bool:
        """A further host for a model pays when its requests wait for as long as a load takes; one load at a time."""
        is_loading = any(
            host.models[model].state is Residency.LOADING for host in self.hosts.values() if model in host.models
        )
        load_s = self.load_s(model)
        expected_s = FIRST_LOAD_S if load_s is None else load_s
        wait_s = self.predicted_wait_s(model)
        return (
            not is_loading
            and now - self._queue.oldest(model) >= expected_s
            and (wait_s is None or wait_s >= 2 * expected_s)
        )

    def _make_room(self, model: str, now: float, *, is_further: bool) -> Load | None:
        hosts = [host for host in self.hosts.values() if self._may_load(host, model, now)]
        with_room = [host for host in hosts if len(host.models) < host.max_loaded]
        if with_room:
            host = min(with_room, key=lambda host: host.active)
            host.models[model] = Resident(Residency.LOADING, now)
            return Load(host.name, model)
        victims = [
            (self._queue.demand(victim), one.since, host, one)
            for host in hosts
            for victim, one in host.models.items()
            if self._may_evict(victim, one, model, now)
            and not (is_further and self._is_needed(victim, one, model, now))
        ]
        if victims:
            _, _, _, one = min(victims, key=lambda found: found[:2])
            one.state, one.for_model = Residency.DRAINING, model
        return None

    def _may_load(self, host: Host, model: str, now: float) -> bool:
        retry_at, _ = host.failures.get(model, (now, 0))
        return (
            host.is_usable
            and model in host.installed
            and model not in host.models
            and not host.is_busy_loading
            and now >= retry_at
        )

    def _may_evict(self, victim: str, one: Resident, model: str, now: float) -> bool:
        """A model stays for its time, and then gives way to one whose requests wait longer than its own."""
        if now - one.since < self.rules.switch_min_resident_s and (one.active or victim in self._queue):
            return False
        replicas = sum(_is_resident(host, victim) for host in self.hosts.values())
        return replicas > 1 or self._queue.oldest(model) <= self._queue.oldest(victim)

    def _is_needed(self, victim: str, one: Resident, model: str, now: float) -> bool:
        """A further replica must not put out what is wanted again a moment later: the loads would never end.

        The last replica of a model gives way when nobody used it for long; one of several also when those that stay
        would still be much less pressed than the model that waits.
        """
        replicas = sum(_is_resident(host, victim) for host in self.hosts.values())
        if replicas < 2:
            is_idle = not one.active and victim not in self._queue
            return not is_idle or now - max(one.since, one.used_at) < IDLE_S
        if now - one.since < MOVE_MIN_RESIDENT_S:
            return True
        after = self._pressure(victim) * replicas / (replicas - 1)
        return after > MOVE_PRESSURE * self._pressure(model)

    def _pressure(self, model: str) -> float:
        """Requests that run or wait for each slot of a model."""
        held = [(host, host.models[model]) for host in self.hosts.values() if _is_resident(host, model)]
        slots = sum(host.slots(model) for host, _ in held)
        waiting = self._queue.count(model)
        return (waiting + sum(one.active for _, one in held)) / max(1, slots)

    def loaded(self, name: str, model: str, now: float) -> list[Ticket]:
        """A load is complete."""
        host = self.hosts.get(name)
        if host is None:
            return []
        host.failures.pop(model, None)
        one = host.models.get(model)
        if one is not None and one.state is Residency.LOADING:
            self._learn(self._load_s, (name, model), now - one.since)
        host.models[model] = Resident(Residency.RESIDENT, now)
        return self.dispatch(now)

    def load_failed(self, name: str, model: str, now: float) -> float:
        """A load failed. Returns when this host is asked to load it again."""
        host = self.hosts.get(name)
        if host is None:
            return now
        host.models.pop(model, None)
        times = host.failures.get(model, (0.0, 0))[1] + 1
        retry_at = now + RETRY_LOAD_S[min(times, len(RETRY_LOAD_S)) - 1]
        host.failures[model] = (retry_at, times)
        return retry_at

    def unloaded(self, name: str, model: str) -> None:
        """A model is out of memory, or the host did not let go of it: the next check shows what it holds."""
        if name in self.hosts:
            self.hosts[name].models.pop(model, None)


def _is_resident(host: Host, model: str) -> bool:
    one = host.models.get(model)
    return host.is_usable and one is not None and one.state is Residency.RESIDENT


def _replica(host: Host, model: str) -> bool:
    """Whether the model is there, or will be without a decision."""
    one = host.models.get(model)
    return one is not None and one.state in (Residency.RESIDENT, Residency.LOADING) and not host.is_drained


def _has_slot(host: Host, model: str) -> bool:
    return _is_resident(host, model) and host.models[model].active < host.slots(model)
