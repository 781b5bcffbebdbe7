"""The pool as an engine: each request waits for its slot, then streams from the Ollama that has it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..catalog import Catalog, Model
from ..engines.base import ClientGone, EngineRequest, Installed, Loaded
from ..engines.ollama.client import Ollama
from ..errors import ApiError, Unavailable, UpstreamError
from ..wire import errors as wire_errors
from ..wire.ollama import EmbedReply, Reply
from .fleet import Fleet
from .hosts import ACTIVE, HostRow, Hosts
from .scheduler import QueueFull, Rules, Scheduler
from .tickets import Host, Ticket

# A stream that waits says its place so often, once the first silence has committed it to a status.
NOTE_S = 5.0
# Seconds that a refused client is told to wait: SDKs ignore more than a minute.
LEAST_RETRY_AFTER_S, MOST_RETRY_AFTER_S = 1, 60
# Failures before the first piece that another host may not have.
RETRIED_CODES = frozenset({"upstream_unreachable", "upstream_reset", "upstream_busy", "upstream_died"})
MOST_HOSTS = 2
# So much of the beginning of a prompt tells whose cache would save reading it.
PREFIX_CHARS = 512


@dataclass(frozen=True)
class HostState:
    """One Ollama for people: its label, never its address. `models` are in memory, with the requests of each."""

    name: str
    is_up: bool
    slots: int
    models: Mapping[str, int]


@dataclass(frozen=True)
class PoolState:
    """The hosts in their order, and how many requests wait for each model."""

    hosts: tuple[HostState, ...]
    waiting: Mapping[str, int]


class Pool:
    """Several Ollamas, or one, behind one fair queue of this process.

    Each host's slots and models in memory are its own OLLAMA_NUM_PARALLEL and OLLAMA_MAX_LOADED_MODELS, which it does
    not tell. `connect` makes a client of the Ollama at a URL.
    """

    def __init__(self, hosts: Hosts, connect: Callable[[str], Ollama], catalog: Catalog, rules: Rules) -> None:
        self.hosts = hosts
        self._connect = connect
        # One that was removed stays until its name comes back, for the requests that it still has.
        self._ollamas: dict[str, Ollama] = {}
        # Ollama runs embedding models with one slot whatever it was told (server/sched.go).
        self._single = frozenset(model.id for model in catalog if model.is_embedding)
        self._scheduler = Scheduler(rules, ())
        self._lock = threading.Lock()
        self._wakes: dict[Ticket, threading.Event] = {}
        self._failures: dict[Ticket, ApiError] = {}
        self._urls = [row.url for row in hosts.of_settings()]
        self._hosts: dict[str, HostRow] = {}
        self._fleet = Fleet(hosts, catalog, self)

    def start(self) -> None:
        """Begin to watch the hosts and their list, in a process that serves requests."""
        self._fleet.start()

    def apply(self, rows: Iterable[HostRow]) -> None:
        """The list of hosts as it is now. Requests that are being answered by a host that left it go on."""
        wanted = {row.name: row for row in rows}
        with self._lock:
            for name, old in list(self._hosts.items()):
                if name not in wanted or wanted[name].url != old.url:
                    del self._hosts[name]
                    self._scheduler.remove(name)
                    self._fleet.forget(name)
                    self._ollamas[name].close()
            for name, row in wanted.items():
                if self._hosts.get(name) == row:
                    continue
                if name not in self._hosts:
                    self._scheduler.add(Host(name, row.slots, row.max_loaded, self._single))
                    self._ollamas[name] = self._connect(row.url)
                    self._fleet.watch(name, self._ollamas[name])
                self._hosts[name] = row
                is_drained = row.state != ACTIVE
                now = time.monotonic()
                self._tell(self._scheduler.change(name, row.slots, row.max_loaded, is_drained=is_drained, now=now))

    def close(self) -> None:
        """Stop watching the hosts, and end the idle connections."""
        self._fleet.stop()
        for ollama in list(self._ollamas.values()):
            ollama.close()

    def chat(self, body: dict[str, Any], call: EngineRequest) -> Generator[list[Reply]]:
        return self._replies("chat", body, call)

    def generate(self, body: dict[str, Any], call: EngineRequest) -> Generator[list[Reply]]:
        return self._replies("generate", body, call)

    def embed(self, body: dict[str, Any], call: EngineRequest) -> EmbedReply:
        ticket = _ticket(body, call)
        while True:
            for _ in self._wait(ticket, call):
                pass
            reply = None
            try:
                reply = self._ollamas[str(ticket.host)].embed(body, call)
                return reply
            except UpstreamError as exc:
                if not self._may_retry(ticket, exc):
                    raise
            finally:
                if reply is not None or ticket.host is not None:
                    self._done(ticket, (reply.prompt_eval_count or 0) if reply else 0, 0, is_served=reply is not None)

    def version(self) -> str:
        """The oldest of the hosts that answer, because a request may meet any. Raises UpstreamError when none does."""
        return str(min(self._answers(lambda ollama: [ollama.version()]), key=_version_order))

    def model_info(self, name: str) -> dict[str, Any]:
        for ollama in self._reachable():
            if info := ollama.model_info(name):
                return info
        return {}

    def installed(self) -> list[Installed]:
        return list({one.name: one for one in self._answers(lambda ollama: ollama.installed())}.values())

    def loaded(self) -> list[Loaded]:
        return list({one.name: one for one in self._answers(lambda ollama: ollama.loaded())}.values())

    def _answers(self, ask: Any) -> list[Any]:
        found: list[Any] = []
        failure: UpstreamError | None = None
        is_answered = False
        for ollama in self._reachable():
            try:
                found += ask(ollama)
                is_answered = True
            except UpstreamError as exc:
                failure = exc
        if failure is not None and not is_answered:
            raise failure
        return found

    def _reachable(self) -> list[Ollama]:
        """The hosts that answered last, so that a page does not wait for a frozen one; all where none is known to."""
        with self._lock:
            up = [self._ollamas[name] for name, host in self._scheduler.hosts.items() if host.is_up]
            every = [self._ollamas[name] for name in self._scheduler.hosts]
        # Before the list was read: a command of the terminal, or the first moment of a server.
        return up or every or [self._connect(url) for url in self._urls]

    def state(self) -> PoolState:
        """What the hosts do and how many requests wait, as far as they were watched."""
        self._fleet.start()
        with self._lock:
            hosts = tuple(
                HostState(host.name, host.is_up, host.parallel, {name: one.active for name, one in host.models.items()})
                for host in self._scheduler.hosts.values()
            )
            return PoolState(hosts, self._scheduler.queued())

    def _replies(self, kind: str, body: dict[str, Any], call: EngineRequest) -> Generator[list[Reply]]:
        ticket = _ticket(body, call)
        while True:
            yield from self._wait(ticket, call)
            ollama = self._ollamas[str(ticket.host)]
            replies = ollama.chat(body, call) if kind == "chat" else ollama.generate(body, call)
            pieces, last = 0, Reply()
            try:
                for batch in replies:
                    if batch:
                        pieces += len(batch)
                        last = batch[-1]
                    yield batch
                return
            except UpstreamError as exc:
                if pieces or not self._may_retry(ticket, exc):
                    raise
            finally:
                replies.close()
                if ticket.host is not None:
                    output = pieces if last.eval_count is None else last.eval_count
                    self._done(ticket, last.prompt_eval_count or ticket.prompt_tokens, output, is_served=last.done)

    def _wait(self, ticket: Ticket, call: EngineRequest) -> Generator[list[Reply]]:
        """Until the ticket has a slot; yields an empty batch for each silence. Raises ApiError, ClientGone."""
        self._fleet.start()
        wake = threading.Event()
        with self._lock:
            self._wakes[ticket] = wake
            try:
                if ticket.tried:
                    granted = self._scheduler.ask_again(ticket, time.monotonic())
                else:
                    granted = self._scheduler.ask(ticket)
            except QueueFull as exc:
                del self._wakes[ticket]
                raise _queue_full(exc.retry_after_s) from None
            self._tell(granted)
        try:
            if ticket.host is None:
                self._fleet.stir()
                call.on_abandon(wake.set)
                yield from self._until_granted(ticket, call, wake)
        finally:
            call.on_abandon(None)
            call.waiting_for = ""
            with self._lock:
                self._wakes.pop(ticket, None)
                self._failures.pop(ticket, None)
                if ticket.host is None:
                    self._tell(self._scheduler.cancel(ticket, time.monotonic()))
        call.host = ticket.host
        call.queue_ns += round((ticket.granted_at - ticket.asked_at) * 1e9)

    def _until_granted(self, ticket: Ticket, call: EngineRequest, wake: threading.Event) -> Generator[list[Reply]]:
        silence_s = call.silence_s
        give_up_at = ticket.asked_at + self._scheduler.rules.queue_wait_max_s
        noted_at = time.monotonic()
        while ticket.host is None:
            now = time.monotonic()
            if call.is_gone:
                raise ClientGone
            if (failure := self._failures.get(ticket)) is not None:
                raise failure
            if now >= give_up_at:
                raise self._timed_out(ticket)
            if self._fleet.is_known and (hopeless := self._hopeless(ticket, call)) is not None:
                raise hopeless
            wake.wait(max(0.0, min(silence_s - (now - noted_at), give_up_at - now)))
            wake.clear()
            if ticket.host is None and time.monotonic() - noted_at >= silence_s:
                silence_s, noted_at = NOTE_S, time.monotonic()
                call.waiting_for = self._note(ticket)
                yield []

    def _hopeless(self, ticket: Ticket, call: EngineRequest) -> ApiError | None:
        with self._lock:
            if not any(host.is_usable for host in self._scheduler.hosts.values()):
                return UpstreamError(
                    "No model server can be reached. Retry is safe.", code="upstream_unreachable", retry_after_s=5
                )
            if self._scheduler.can_ever_serve(ticket.model):
                return None
            if self._scheduler.may_be_elsewhere(ticket.model):
                return UpstreamError(
                    f"No model server that has {ticket.model} can be reached. Retry is safe.",
                    code="upstream_unreachable",
                    retry_after_s=5,
                )
            return wire_errors.not_installed(call.model.id if call.model else ticket.model)

    def _note(self, ticket: Ticket) -> str:
        """What a waiting stream says: its place and the time it may take, or the load that it waits for."""
        with self._lock:
            loading_since = self._scheduler.is_loading(ticket.model)
            if loading_since is not None:
                note = f"loading model={ticket.model} elapsed={time.monotonic() - loading_since:.0f}"
                expected_s = self._scheduler.load_s(ticket.model)
                return note if expected_s is None else f"{note} expected={expected_s:.0f}"
            position = self._scheduler.position(ticket)
            eta_s = self._scheduler.predicted_wait_s(ticket.model, position)
            note = f"queued position={position}"
            return note if eta_s is None else f"{note} eta={eta_s:.0f}"

    def _timed_out(self, ticket: Ticket) -> Unavailable:
        with self._lock:
            wait_s = self._scheduler.predicted_wait_s(ticket.model) or 0.0
        waited_s = time.monotonic() - ticket.asked_at
        return Unavailable(
            f"No slot for {ticket.model} became free within {waited_s:.0f} seconds. Retry is safe.",
            code="queue_timeout",
            retry_after_s=_retry_after_s(wait_s / 2),
        )

    def _may_retry(self, ticket: Ticket, exc: UpstreamError) -> bool:
        """Whether the request goes to another host, which it then waits for at the head of its account's queue."""
        host = str(ticket.host)
        if exc.code == "upstream_unreachable":
            with self._lock:
                self._scheduler.host_down(host)
            self._fleet.stir(host)
        if exc.code not in RETRIED_CODES or len(ticket.tried) + 1 >= min(MOST_HOSTS, len(self._scheduler.hosts)):
            return False
        ticket.tried.add(host)
        self._done(ticket, 0, 0, is_served=False)
        return True

    def _done(self, ticket: Ticket, prompt_tokens: int, output_tokens: int, *, is_served: bool) -> None:
        now = time.monotonic()
        with self._lock:
            self._tell(self._scheduler.done(ticket, prompt_tokens, output_tokens, now, is_served=is_served))
            is_wanted = self._scheduler.waiting > 0
        if is_wanted:
            self._fleet.stir()

    def _tell(self, granted: list[Ticket]) -> None:
        for ticket in granted:
            wake = self._wakes.get(ticket)
            if wake is not None:
                wake.set()

    def change(self, event: Any) -> Any:
        """Let the fleet apply an event to the scheduler, and tell those who were granted a slot by it."""
        with self._lock:
            result = event(self._scheduler)
            if isinstance(result, list) and result and isinstance(result[0], Ticket):
                self._tell(result)
            return result

    def fail(self, model: str, error: ApiError) -> None:
        """Every request that waits for this model fails with this error."""
        with self._lock:
            for ticket, wake in self._wakes.items():
                if ticket.model == model and ticket.host is None:
                    self._failures[ticket] = error
                    wake.set()


def _ticket(body: Mapping[str, Any], call: EngineRequest) -> Ticket:
    model: Model | None = call.model
    name = model.id if model is not None else str(body["model"])
    return Ticket(
        model=name,
        account=call.account_id,
        weight=call.weight,
        prompt_tokens=call.prompt_tokens,
        most_output_tokens=call.output_tokens,
        prefix=hash((call.account_id, name, _beginning(body))),
        asked_at=time.monotonic(),
    )


def _beginning(body: Mapping[str, Any]) -> str:
    messages = body.get("messages")
    first = messages[0].get("content") if messages else body.get("prompt")
    return first[:PREFIX_CHARS] if isinstance(first, str) else ""


def _version_order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("-")[0].lstrip("v").split(".") if part.isdigit())


def _retry_after_s(seconds: float) -> int:
    return max(LEAST_RETRY_AFTER_S, min(MOST_RETRY_AFTER_S, round(seconds)))


def _queue_full(retry_after_s: float) -> Unavailable:
    return Unavailable(
        "Too many requests wait for the model servers. Retry is safe.",
        code="queue_full",
        retry_after_s=_retry_after_s(retry_after_s),
    )
