"""Watches the hosts, and carries out the loads and unloads that the scheduler decides on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ..catalog import Catalog, Model, full_tag
from ..engines.base import Installed, Loaded
from ..engines.ollama.client import Ollama
from ..errors import ApiError, UpstreamError
from ..wire.parsed import load_body
from .scheduler import Scheduler
from .tickets import Load, Unload

log = logging.getLogger(__name__)

CHECK_S = 5.0
# After a host failed it is asked at these intervals, the last of them again and again.
CHECK_DOWN_S = (1.0, 2.0, 5.0, 10.0, 15.0)
TAGS_S = 60.0
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


class Fleet:
    """One thread for each host that watches it, one that asks for loads, and one for each load."""

    def __init__(self, ollamas: Mapping[str, Ollama], catalog: Catalog, owner: Owner) -> None:
        self._ollamas = ollamas
        self._catalog = catalog
        self._owner = owner
        self._is_started = threading.Lock()
        self._is_stopped = threading.Event()
        self._wanted = threading.Event()
        self._checks = {name: threading.Event() for name in ollamas}
        self._answered: set[str] = set()
        self._sizes: dict[str, int] = {}

    def start(self) -> None:
        """Begin to watch, at the first request: a process that serves none asks no Ollama."""
        if not self._is_started.acquire(blocking=False):
            return
        for name in self._ollamas:
            threading.Thread(target=self._watch, args=(name,), name=f"watching {name}", daemon=True).start()
        threading.Thread(target=self._plan, name="planning loads", daemon=True).start()

    def stop(self) -> None:
        self._is_stopped.set()
        self._wanted.set()
        for check in self._checks.values():
            check.set()

    def stir(self, host: str | None = None) -> None:
        """Somebody waits, or (`host`) a host failed a request: look now rather than at the next turn."""
        if host is not None:
            self._checks[host].set()
        self._wanted.set()

    @property
    def is_known(self) -> bool:
        """Whether every host was asked at least once."""
        return len(self._answered) == len(self._ollamas)

    def _watch(self, name: str) -> None:
        failures, tags_at, installed = 0, float("-inf"), frozenset[str]()
        while not self._is_stopped.is_set():
            try:
                now = time.monotonic()
                if failures or now - tags_at >= TAGS_S or not installed:
                    installed, tags_at = self._known(name, self._ollamas[name].installed()), now
                self._report(name, installed, self._ollamas[name].loaded())
                failures = 0
            except ApiError as exc:
                if not failures:
                    log.warning("%s does not answer: %s", name, exc)
                self._owner.change(lambda scheduler: scheduler.host_down(name))
                failures += 1
            except Exception:
                # Whatever a broken server says, watching goes on.
                log.exception("checking %s failed", name)
                failures += 1
            self._answered.add(name)
            self._wanted.set()
            self._checks[name].wait(CHECK_DOWN_S[min(failures, len(CHECK_DOWN_S)) - 1] if failures else CHECK_S)
            self._checks[name].clear()

    def _known(self, name: str, found: list[Installed]) -> frozenset[str]:
        """The catalogue's models among those that a host has."""
        sizes = {full_tag(one.name): one.size_bytes for one in found}
        mine = [model for model in self._catalog if full_tag(model.ollama) in sizes]
        self._sizes |= {model.id: sizes[full_tag(model.ollama)] for model in mine}
        return frozenset(model.id for model in mine)

    def _report(self, name: str, installed: frozenset[str], loaded: list[Loaded]) -> None:
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
        model = self._catalog.get(action.model)
        if model is None:
            return
        budget_s = LOAD_S + LOAD_S_PER_GIB * self._sizes.get(model.id, 0) / 2**30
        try:
            self._ollamas[action.host].load(
                load_body(model), is_embedding=model.is_embedding, timeout_s=budget_s, keep_alive=KEEP_ALIVE
            )
        except ApiError as exc:
            log.warning("%s could not load %s: %s", action.host, action.model, exc)
            self._owner.change(lambda scheduler: scheduler.load_failed(action.host, action.model, time.monotonic()))
            can_other = self._owner.change(lambda scheduler: scheduler.may_load_somewhere(model.id, time.monotonic()))
            if not can_other:
                code = exc.code if exc.code != "upstream_error" else "model_load_failed"
                self._owner.fail(model.id, UpstreamError(str(exc), code=code))
            self._checks[action.host].set()
        else:
            self._owner.change(lambda scheduler: scheduler.loaded(action.host, action.model, time.monotonic()))
        self._wanted.set()

    def _unload(self, action: Unload) -> None:
        model = self._catalog.get(action.model)
        if model is None:
            return
        ollama = self._ollamas[action.host]
        give_up_at = time.monotonic() + UNLOAD_S
        try:
            ollama.unload(model.ollama)
            while time.monotonic() < give_up_at and any(self._model(one) == model for one in ollama.loaded()):
                self._is_stopped.wait(UNLOAD_POLL_S)
        except ApiError as exc:
            log.warning("%s could not unload %s: %s", action.host, action.model, exc)
        self._owner.change(lambda scheduler: scheduler.unloaded(action.host, action.model))
        self._wanted.set()
