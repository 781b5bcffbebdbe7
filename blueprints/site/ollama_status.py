"""What this server can do at this moment: which models its Ollama has and holds in memory. Asked at most every few
seconds, so that a page that many people reload costs the model server nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass

from llmrack.catalog import Model, full_tag
from llmrack.errors import ApiError
from llmrack.inference.context import AppContext
from llmrack.pool.pool import Pool, PoolState

KEEP_S = 5.0


@dataclass(frozen=True)
class State:
    """`version` is None when no Ollama answers; then nothing is known about its models."""

    version: str | None
    installed: frozenset[str]
    loaded: frozenset[str]

    def of(self, model: Model) -> str:
        """ "loaded", "installed", "missing", or "unknown" while no Ollama answers."""
        if self.version is None:
            return "unknown"
        name = full_tag(model.ollama)
        if name in self.loaded:
            return "loaded"
        return "installed" if name in self.installed else "missing"


_kept: dict[int, tuple[float, State]] = {}


def models(context: AppContext) -> State:
    engine = context.engines.live
    at, state = _kept.get(id(engine), (-KEEP_S, None))
    if state is None or time.monotonic() - at > KEEP_S:
        state = _ask(context)
        _kept.clear()
        _kept[id(engine)] = (time.monotonic(), state)
    return state


def _ask(context: AppContext) -> State:
    engine = context.engines.live
    try:
        return State(
            engine.version(),
            frozenset(full_tag(installed.name) for installed in engine.installed()),
            frozenset(full_tag(loaded.name) for loaded in engine.loaded()),
        )
    except ApiError:
        return State(None, frozenset(), frozenset())


def queue(context: AppContext) -> PoolState | None:
    """The model servers by their labels and who waits for them; None where requests go on to one Ollama at once."""
    engine = context.engines.live
    return engine.state() if isinstance(engine, Pool) else None


def database(context: AppContext) -> bool:
    """Whether the database answers."""
    try:
        context.store.ping()
    except ApiError:
        return False
    return True


def summary(context: AppContext, state: State, *, is_database_up: bool) -> str:
    """ "ok", "degraded" when only test mode or only some models can answer, "down" without a database."""
    if not is_database_up:
        return "down"
    return "ok" if all(state.of(model) in ("loaded", "installed") for model in context.catalog) else "degraded"
