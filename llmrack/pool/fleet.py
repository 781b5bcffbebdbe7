"""Watches the hosts, and carries out the loads and unloads that the scheduler decides on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from operator import methodcaller
from typing import Any, Protocol

from ..catalog import Catalog, Model, full_tag
from ..engines.base import Installed, Loaded
from ..engines.ollama.client import Ollama
from ..errors import ApiError, Unavailable, UpstreamError
from ..wire.parsed import load_body
from .hosts import DRAINING, HostRow, Hosts
from .scheduler import Scheduler
from .tickets import Load, Unload

log = logging.getLogger(__name__)

CHECK_S = 5.0
# After a host failed it is asked at these intervals, the last of them again and again.
CHECK_DOWN_S = (1.0, 2.0, 5.0, 10.0, 15.0)
TAGS_S = 60.0
# How often the list of hosts is read again: one query.
LIST_S = 1.0
# How often the scheduler is asked for loads while somebody waits.
PLAN_S = 0.25
# A load takes so long at most: 60 s, and 20 s for each GiB of the model's file.
LOAD_S, LOAD_S_PER_GIB = 60.0, 20.0
# Ollama itself waits up to 5 s for a graphics card to give its memory back.
UNLOAD_S, UNLOAD_POLL_S = 30.0, 0.25
# A model that no request used for so long gives its memory back by itself.
KEEP_ALIVE = "30m"


class Owner(Protocol):
    """The pool: holds the scheduler, and those who wait."""

    def change(self, event: Callable[[Scheduler], Any]) -> Any: ...

    def fail(self, model: str, error: ApiError) -> None: ...

    def apply(self, rows: Iterable[HostRow]) -> None: ...


class Fleet:
    """A thread for each host that watches it, one for the list of hosts, one that asks for loads, one for each load."""

    def __init__(self, hosts: Hosts, catalog: Catalog, owner: Owner) -> None:
        self._hosts = hosts
        self._ollamas: dict[str, Ollama] = {}
        self._catalog = catalog
        self._owner = owner
        self._is_started = threading.Lock()
        self._is_stopped = threading.Event()
        self._wanted = threading.Event()
        self._is_listed = False
        self._checks: dict[str, threading.Event] = {}
        self._answered: set[str] = set()
        self._sizes: dict[str, int] = {}

    def start(self) -> None:
        """Begin to watch, in a process that serves requests: another one asks no Ollama."""
        if not self._is_started.acquire(blocking=False):
            return
        threading.Thread(target=self._follow, name="reading the list of hosts", daemon=True).start()
        threading.Thread(target=self._plan, name="planning loads", daemon=True).start()

    def stop(self) -> None:
        self._is_stopped.set()
        self._wanted.set()
        for check in list(self._checks.values()):
            check.set()

    def watch(self, name: str, ollama: Ollama) -> None:
        """Another host belongs to the pool, or one of this name has another address."""
        self._ollamas[name], self._checks[name] = ollama, threading.Event()
        self._answered.discard(name)
        threading.Thread(target=self._watch, args=(name, ollama), name=f"watching {name}", daemon=True).start()

    def forget(self, name: str) -> None:
        """A host does not belong to the pool any more."""
        del self._ollamas[name]
        self._checks.pop(name).set()

    def stir(self, host: str | None = None) -> None:
        """Somebody waits, or (`host`) a host failed a request: look now rather than at the next turn."""
        check = self._checks.get(host) if host is not None else None
        if check is not None:
            check.set()
        self._wanted.set()

    @property
    def is_known(self) -> bool:
        """Whether every host was asked at least once."""
        return self._is_listed and self._answered >= self._ollamas.keys()

    def _follow(self) -> None:
        """What the operator changes is in force within the interval; without a database the last list stays."""
        while not self._is_stopped.is_set():
            try:
                rows = self._hosts.all()
                self._owner.apply(rows)
                self._end_drains(rows)
            except Unavailable:
                # Said in the log already.
                self._fall_back()
            except Exception:
                log.exception("reading the list of hosts failed")
                self._fall_back()
            self._is_listed = True
            self._is_stopped.wait(LIST_S)

    def _fall_back(self) -> None:
        if not self._is_listed:
            self._owner.apply(self._hosts.of_settings())

    def _end_drains(self, rows: list[HostRow]) -> None:
        for row in rows:
            if row.state != DRAINING:
                continue
            is_idle = self._owner.change(methodcaller("is_idle", row.name))
            if is_idle and self._hosts.drained(row.name):
                log.info("%s is drained: 0 active", row.name)

    def _watch(self, name: str, ollama: Ollama) -> None:
        check = self._checks[name]
        failures, tags_at, installed = 0, float("-inf"), frozenset[str]()
        while not self._is_stopped.is_set() and self._ollamas.get(name) is ollama:
            try:
                now = time.monotonic()
                if failures or now - tags_at >= TAGS_S or not installed:
                    installed, tags_at = self._known(name, ollama.installed()), now
                self._report(name, ollama, installed, ollama.loaded())
                failures = 0
            except ApiError as exc:
                if not failures:
                    log.warning("%s does not answer: %s", name, exc)
                if self._ollamas.get(name) is ollama:
                    self._owner.change(lambda scheduler: scheduler.host_down(name))
                failures += 1
            except Exception:
                # Whatever a broken server says, watching goes on.
                log.exception("checking %s failed", name)
                failures += 1
            self._answered.add(name)
            self._wanted.set()
            check.wait(CHECK_DOWN_S[min(failures, len(CHECK_DOWN_S)) - 1] if failures else CHECK_S)
            check.clear()

    def _known(self, name: str, found: list[Installed]) -> frozenset[str]:
        """The catalogue's models among those that a host has."""
        sizes = {full_tag(one.name): one.size_bytes for one in found}
        mine = [model for model in self._catalog if full_tag(model.ollama) in sizes]
        self._sizes |= {model.id: sizes[full_tag(model.ollama)] for model in mine}
        return frozenset(model.id for model in mine)

    def _report(self, name: str, ollama: Ollama, installed: frozenset[str], loaded: list[Loaded]) -> None:
        if self._ollamas.get(name) is not ollama:
            return
        resident = [model.id for one in loaded if (model := self._model(one)) is not None]
        self._owner.change(lambda scheduler: scheduler.host_up(name, installed, resident, time.monotonic()))

    def _model(self, loaded: Loaded) -> Model | None:
        """The row of the catalogue that a loaded model is. Rows of one model differ by their windows."""
        rows = [model for model in self._catalog if full_tag(model.ollama) == full_tag(loaded.name)]
        if len(rows) == 1:
            return rows[0]
        return next((model for model in rows if model.num_ctx == loaded.context_tokens), None)

    def _plan(self) -> None:
        while not self._is_stopped.is_set():
            try:
                is_waiting = self._owner.change(lambda scheduler: scheduler.waiting > 0)
                for action in self._owner.change(lambda scheduler: scheduler.plan(time.monotonic())):
                    work = self._load if isinstance(action, Load) else self._unload
                    threading.Thread(target=work, args=(action,), name=f"{action}", daemon=True).start()
            except Exception:
                log.exception("planning loads failed")
                is_waiting = False
            self._wanted.wait(PLAN_S if is_waiting else CHECK_S)
            if is_waiting:
                # Many requests that come and go must not make this a loop without rest.
                self._is_stopped.wait(PLAN_S / 10)
            self._wanted.clear()

    def _load(self, action: Load) -> None:
        model, ollama = self._catalog.get(action.model), self._ollamas.get(action.host)
        if model is None or ollama is None:
            return
        budget_s = LOAD_S + LOAD_S_PER_GIB * self._sizes.get(model.id, 0) / 2**30
        try:
            ollama.load(load_body(model), is_embedding=model.is_embedding, timeout_s=budget_s, keep_alive=KEEP_ALIVE)
        except ApiError as exc:
            log.warning("%s could not load %s: %s", action.host, action.model, exc)
            self._owner.change(lambda scheduler: scheduler.load_failed(action.host, action.model, time.monotonic()))
            can_other = self._owner.change(lambda scheduler: scheduler.may_load_somewhere(model.id, time.monotonic()))
            if not can_other:
                code = exc.code if exc.code != "upstream_error" else "model_load_failed"
                self._owner.fail(model.id, UpstreamError(str(exc), code=code))
            self.stir(action.host)
        else:
            self._owner.change(lambda scheduler: scheduler.loaded(action.host, action.model, time.monotonic()))
        self._wanted.set()

    def _unload(self, action: Unload) -> None:
        model, ollama = self._catalog.get(action.model), self._ollamas.get(action.host)
        if model is None or ollama is None:
            return
        give_up_at = time.monotonic() + UNLOAD_S
        try:
            ollama.unload(model.ollama)
            while time.monotonic() < give_up_at and any(self._model(one) == model for one in ollama.loaded()):
                self._is_stopped.wait(UNLOAD_POLL_S)
        except ApiError as exc:
            log.warning("%s could not unload %s: %s", action.host, action.model, exc)
        self._owner.change(lambda scheduler: scheduler.unloaded(action.host, action.model))
        self._wanted.set()
