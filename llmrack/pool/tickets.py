"""What waits and what it waits for: the values that the scheduler decides about."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(slots=True, eq=False)
class Ticket:
    """One request's place in the queue, and its slot once it has one.

    `model` is Ollama's name with its tag. `weight` is the plan's share: an account of weight 4 is given four times the
    tokens of one of weight 1 while both wait. `service` is the request's cost as it is estimated: prompt tokens, and
    twice the tokens of the answer. `prefix` is a hash of the beginning of the prompt, for a host that still holds it.
    `tried` are the hosts that failed this request before it had an answer.
    """

    model: str
    account: int
    weight: float
    prompt_tokens: int
    most_output_tokens: int
    prefix: int
    asked_at: float
    service: float = 0.0
    host: str | None = None
    granted_at: float = 0.0
    tried: set[str] = field(default_factory=set)


class Residency(StrEnum):
    """What a host does with a model. Only a resident one is given requests."""

    LOADING = "loading"
    RESIDENT = "resident"
    DRAINING = "draining"
    UNLOADING = "unloading"


@dataclass(slots=True)
class Resident:
    """A model on a host, from the beginning of its load to the end of its unloading."""

    state: Residency
    since: float
    active: int = 0
    # When it had its last request.
    used_at: float = 0.0
    # Hashes of the prompts that its slots served last: each slot of Ollama keeps the cache of one prompt.
    prefixes: deque[int] = field(default_factory=deque)
    # The model that it makes room for, while it drains.
    for_model: str | None = None


@dataclass(slots=True)
class Host:
    """One Ollama as the scheduler sees it.

    `parallel` are its slots for each model, one for those of `single`; `max_loaded` are its models at once.
    """

    name: str
    parallel: int
    max_loaded: int
    single: frozenset[str] = frozenset()
    is_up: bool = False
    # Given no new requests, and no loads, by the operator.
    is_drained: bool = False
    # Whether it ever told which models it has.
    is_seen: bool = False
    installed: frozenset[str] = frozenset()
    models: dict[str, Resident] = field(default_factory=dict)
    # When a model that could not be loaded may be tried again, and how often in a row it failed.
    failures: dict[str, tuple[float, int]] = field(default_factory=dict)

    def slots(self, model: str) -> int:
        return 1 if model in self.single else self.parallel

    @property
    def is_usable(self) -> bool:
        return self.is_up and not self.is_drained

    @property
    def active(self) -> int:
        return sum(resident.active for resident in self.models.values())

    @property
    def is_busy_loading(self) -> bool:
        return any(resident.state is not Residency.RESIDENT for resident in self.models.values())


@dataclass(frozen=True, slots=True)
class Load:
    """The host is to load the model."""

    host: str
    model: str


@dataclass(frozen=True, slots=True)
class Unload:
    """The host is to free the memory of the model, which no request uses any more."""

    host: str
    model: str
