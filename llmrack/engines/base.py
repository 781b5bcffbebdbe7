"""The one interface behind which every engine answers, and the abandonment of a request whose client left."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..catalog import Model
from ..wire.ollama import EmbedReply, Reply


class ClientGone(Exception):
    """The client disconnected before the answer was complete."""


class EngineRequest:
    """One request as its engine sees it.

    `silence_s` is how long an engine may wait for its model before it yields an empty batch, so that the caller can
    tell its client that work goes on. `abandon` may be called from another greenlet while the engine waits.

    A body holds of a client's schemas what Ollama's decoding understands. `schemas` are the whole ones, for an engine
    that can hold them: {"response_format": schema, "tools": {name: parameters}}, either left out where there is none.
    `must_call` says that only a tool call is an answer. `model` is the catalogue's and `prompt_param` the client's
    field that holds the prompt, for what failures say. `waiting_for` is the engine's word on an empty batch: what the
    request waits for, as the comment of a silent stream. `account_id`, its plan's `weight` and the estimated
    `prompt_tokens` and `output_tokens` decide its place in a queue; `host` and `queue_ns` are what became of it there.
    """

    __slots__ = (
        "_hang_up",
        "account_id",
        "host",
        "is_gone",
        "is_shutdown",
        "model",
        "must_call",
        "output_tokens",
        "prompt_param",
        "prompt_tokens",
        "queue_ns",
        "request_id",
        "schemas",
        "silence_s",
        "waiting_for",
        "weight",
    )

    def __init__(self, request_id: str, silence_s: float) -> None:
        self.request_id = request_id
        self.silence_s = silence_s
        self.is_gone = False
        self.is_shutdown = False
        self.schemas: Mapping[str, Any] = {}
        self.must_call = False
        self.model: Model | None = None
        self.prompt_param: str | None = None
        self.waiting_for = ""
        self.account_id = 0
        self.weight = 1.0
        self.prompt_tokens = self.output_tokens = 0
        self.host: str | None = None
        self.queue_ns = 0
        self._hang_up: Callable[[], None] | None = None

    def abandon(self, *, is_shutdown: bool = False) -> None:
        """Give the request up: its client left, or (`is_shutdown`) this server has no more time for it."""
        self.is_gone = True
        self.is_shutdown = is_shutdown
        if self._hang_up is not None:
            self._hang_up()

    def on_abandon(self, hang_up: Callable[[], None] | None) -> None:
        """Let the engine say how to wake it; called at once when the client has left already."""
        self._hang_up = hang_up
        if self.is_gone and hang_up is not None:
            hang_up()


@dataclass(frozen=True)
class Installed:
    """A model an engine has: its own name for it, and what it says it can do."""

    name: str
    capabilities: tuple[str, ...] = ()
    size_bytes: int = 0


@dataclass(frozen=True)
class Loaded:
    """A model in memory, with the context in force."""

    name: str
    context_tokens: int


class Engine(Protocol):
    """Answers bodies of Ollama's native API.

    `chat` and `generate` yield batches of replies: what arrived together stays together, an empty batch means the
    model has been silent for `call.silence_s`. The last batch ends with a reply whose `done` is true; an engine that
    cannot deliver it raises `UpstreamError` (or another `ApiError`), or `ClientGone` when the call was abandoned.
    Closing the iterator frees the engine at once.
    """

    def chat(self, body: dict[str, Any], call: EngineRequest) -> Generator[list[Reply]]: ...

    def generate(self, body: dict[str, Any], call: EngineRequest) -> Generator[list[Reply]]: ...

    def embed(self, body: dict[str, Any], call: EngineRequest) -> EmbedReply: ...

    def version(self) -> str: ...

    def model_info(self, name: str) -> dict[str, Any]: ...

    def installed(self) -> list[Installed]: ...

    def loaded(self) -> list[Loaded]: ...

    def close(self) -> None: ...
