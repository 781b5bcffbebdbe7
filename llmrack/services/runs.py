"""One request from admission to settlement, whatever engine answers it and however it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from typing import Any

from ..engines.base import Call, ClientGone, Engine
from ..errors import ApiError, PermissionRefused
from ..wire.asks import Ask, EmbedAsk, Usage
from ..wire.ollama import Reply
from .callers import Caller
from .metering import Admission, Grant, LimitState, Meter, Settlement
from .rack import Rack

log = logging.getLogger(__name__)


class Run:
    """One admitted request. It is settled exactly once, by whichever of its ends comes first."""

    def __init__(self, ask: Ask | EmbedAsk, caller: Caller, rack: Rack, call: Call) -> None:
        self.ask = ask
        self.call = call
        call.model = ask.model
        self.mode = caller.mode
        self.engine: Engine = rack.engines.of(caller.mode)
        self.meter: Meter = rack.meter
        self._started = time.perf_counter_ns()
        self._first_token_ns = 0
        self._durations = Durations()
        self._is_settled = False
        self.grant: Grant = rack.meter.admit(_admission(ask, caller, call))

    def replies(self, body: dict[str, Any]) -> Generator[list[Reply]]:
        """The engine's batches for one body, each of which is to be noted. They raise ApiError, ClientGone."""
        answer = self.engine.chat if self.ask.endpoint == "chat" else self.engine.generate
        return answer(body, self.call)

    def note(self, batch: list[Reply]) -> None:
        """Take the time of the first token, and the times that the last line of a batch may report."""
        if batch:
            if not self._first_token_ns:
                self._first_token_ns = time.perf_counter_ns() - self._started
            self._durations.note(batch[-1])

    def limits_after(self, usage: Usage) -> LimitState | None:
        """What is left of the limit on tokens once a complete answer is booked."""
        return self.grant.limits_after(usage.prompt_tokens + usage.completion_tokens)

    def settle(self, outcome: str, usage: Usage) -> None:
        """Book what was used; the second call changes nothing."""
        if self._is_settled:
            return
        self._is_settled = True
        settlement = Settlement(
            outcome=outcome,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens or 0,
            first_token_ns=self._first_token_ns,
            total_ns=time.perf_counter_ns() - self._started,
            queue_ns=self._durations.queue_ns,
            load_ns=self._durations.load_ns,
            prompt_ns=self._durations.prompt_ns,
            generation_ns=self._durations.generation_ns,
        )
        self.meter.settle(self.call.request_id, settlement)
        log.info(
            "%s %s %s",
            self.ask.endpoint,
            self.ask.model.id,
            outcome,
            extra={
                "mode": self.mode,
                "outcome": outcome,
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "first_token_ms": self._first_token_ns // 1_000_000,
                "total_ms": settlement.total_ns // 1_000_000,
            },
        )


class Durations:
    """Where the time went, in nanoseconds, summed over the calls of one request."""

    __slots__ = ("generation_ns", "load_ns", "prompt_ns", "queue_ns")

    def __init__(self) -> None:
        self.queue_ns = self.load_ns = self.prompt_ns = self.generation_ns = 0

    def note(self, reply: Reply) -> None:
        """Add a last line's counters. The wait for a free slot shows in Ollama's total only, in none of its parts."""
        if not reply.done:
            return
        load, prompt, generation = (
            max(0, part or 0) for part in (reply.load_duration, reply.prompt_eval_duration, reply.eval_duration)
        )
        self.load_ns += load
        self.prompt_ns += prompt
        self.generation_ns += generation
        self.queue_ns += max(0, (reply.total_duration or 0) - load - prompt - generation)


def _admission(ask: Ask | EmbedAsk, caller: Caller, call: Call) -> Admission:
    """Raises PermissionRefused for a model that the key is not for."""
    if caller.models is not None and ask.model.id not in caller.models:
        raise PermissionRefused(
            f"This key is not for the model '{ask.model.id}'. It may use {', '.join(sorted(caller.models))}.",
            param="model",
            code="model_not_allowed",
        )
    return Admission(
        request_id=call.request_id,
        caller=caller,
        endpoint=ask.endpoint,
        model=ask.model,
        prompt_tokens=ask.prompt_tokens,
        output_tokens=ask.output_tokens,
        user=ask.user,
        stream=ask.stream,
    )


def answer_id(ask: Ask, call: Call) -> str:
    return ask.id_prefix + call.request_id.removeprefix("req_")


def outcome(exc: BaseException, call: Call, *, has_delivered: bool) -> str:
    """How a request that did not complete is booked; the words are declared in `outcomes`."""
    # What is no Exception ends this greenlet or the process: gevent's GreenletExit, SystemExit, KeyboardInterrupt.
    if call.is_shutdown or not isinstance(exc, Exception):
        return "server_shutdown"
    if call.is_gone or isinstance(exc, ClientGone):
        return "client_gone"
    if isinstance(exc, ApiError) and exc.status < 500:
        return "refused"
    return "stream_error" if has_delivered else "upstream_error"
