"""One request from admission to settlement, whatever engine answers it and however it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from typing import Any, cast

from ..catalog import Model
from ..engines.base import ClientGone, Engine, EngineRequest
from ..errors import ApiError, PermissionRefused
from ..keys.authentication import Caller
from ..metering.meter import Admission, Grant, LimitState, Meter, Settlement
from ..monitoring import requests as request_figures
from ..wire.ollama import Reply
from ..wire.parsed import ParsedEmbedding, ParsedRequest, Usage
from .context import AppContext
from .reservations import Reservation

log = logging.getLogger(__name__)


class MeteredRequest:
    """One admitted request. It is settled exactly once, by whichever of its ends comes first."""

    def __init__(
        self, ask: ParsedRequest | ParsedEmbedding, caller: Caller, context: AppContext, call: EngineRequest
    ) -> None:
        self.ask = ask
        self.call = call
        call.model, call.prompt_param = ask.model, ask.prompt_param
        call.account_id, call.weight = caller.account_id, caller.plan.queue_weight
        call.prompt_tokens, call.output_tokens = ask.prompt_tokens, ask.output_tokens
        self.mode = caller.mode
        self.engine: Engine = context.engines.of(caller.mode)
        self.meter: Meter = context.meter
        self._figures = context.figures if caller.is_live else None
        self._started = time.perf_counter_ns()
        self._first_token_ns = 0
        self._durations = Durations()
        self._is_settled = False
        self._is_repair = False
        self._choice = -1
        self._bodies: list[dict[str, Any]] = []
        # Without an answer its prompt is only charged once it is counted, so the estimate is held.
        bounds = [
            context.prompts.bound(ask.model, size, is_chat=ask.is_chat) if ask.output_tokens else size.estimate
            for size in ask.prompt_sizes
        ]
        admission = _admission(ask, caller, call, sum(bounds))
        self._reservation = Reservation(ask, admission, bounds, context.meter, context.prompts)

    @property
    def grant(self) -> Grant:
        return self._reservation.grant

    def bodies(self) -> list[dict[str, Any]]:
        """The bodies for the engine, one for each choice. An answer that grows is read while it is made."""
        ask, grant = cast(ParsedRequest, self.ask), self.grant
        bodies = ask.bodies(grant.output_tokens if grant.is_whole else ask.output_tokens)
        if not grant.is_whole:
            # To be counted, if need be.
            self._bodies = bodies
            for body in bodies:
                body["stream"] = True
        return list(bodies)

    def replies(self, body: dict[str, Any], *, is_repair: bool = False) -> Generator[list[Reply]]:
        """The engine's batches for the next choice's body, or for a repair of the last one; each is to be noted.

        They raise ApiError, ClientGone.
        """
        self._is_repair = is_repair
        self._choice += not is_repair
        batches = self._answer(body)
        # Each generator costs a stream half a kilobyte and a microsecond a piece.
        if self.grant.is_whole or is_repair:
            return batches
        return self._reservation.cover(batches, self._choice, self._count)

    def _answer(self, body: dict[str, Any]) -> Generator[list[Reply]]:
        return (self.engine.chat if self.ask.is_chat else self.engine.generate)(body, self.call)

    def _count(self, choice: int) -> Generator[list[Reply], None, int]:
        """The tokens of a choice's prompt: the model server reads it, as it has to anyway, and makes one token.

        Yields empty batches while it is silent.
        """
        body = self._bodies[choice]
        counting = {name: value for name, value in body.items() if name in _OF_THE_PROMPT}
        counting |= {"stream": False, "options": body["options"] | {"num_predict": 1}}
        last = Reply()
        for batch in self._answer(counting):
            if batch:
                last = batch[-1]
            else:
                yield batch
        return self._reservation.counted(choice, last).prompt_tokens

    def note(self, batch: list[Reply]) -> None:
        """Take the time of the first token, and what the last line of a batch may report.

        Raises RateLimited or InsufficientCredits when its counts do not fit and nothing was delivered.
        """
        if batch:
            last = batch[-1]
            if last.done:
                self._durations.note(last)
                is_delivered = self.ask.stream and self._first_token_ns > 0
                self._reservation.end(self._choice, last, is_repair=self._is_repair, is_delivered=is_delivered)
            if not self._first_token_ns:
                self._first_token_ns = time.perf_counter_ns() - self._started

    def hold(self, usage: Usage) -> None:
        """Hold what an answer without tokens of its own took. Raises RateLimited, InsufficientCredits."""
        self._reservation.hold(usage.prompt_tokens, usage.completion_tokens)

    def limits_after(self, usage: Usage) -> LimitState | None:
        """What is left of the limit on tokens once a complete answer is booked."""
        return self.grant.limits_after(usage.prompt_tokens + usage.completion_tokens)

    def settle(self, outcome: str, usage: Usage) -> None:
        """Book what was used; the second call changes nothing."""
        if self._is_settled:
            return
        self._is_settled = True
        counted = self._reservation.counted_prompt
        if counted is not None and usage.prompt_tokens and outcome != "completed":
            usage = Usage(counted, usage.completion_tokens, usage.cached_tokens)
        settlement = Settlement(
            outcome=outcome,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens or 0,
            first_token_ns=self._first_token_ns,
            total_ns=time.perf_counter_ns() - self._started,
            queue_ns=self._durations.queue_ns + self.call.queue_ns,
            load_ns=self._durations.load_ns,
            prompt_ns=self._durations.prompt_ns,
            generation_ns=self._durations.generation_ns,
        )
        self.meter.settle(self.call.request_id, settlement)
        if self._figures is not None:
            request_figures.settled(
                self._figures,
                self.ask.endpoint,
                self.ask.model.id,
                outcome,
                settlement.prompt_tokens,
                settlement.completion_tokens,
                self._first_token_ns,
                settlement.total_ns,
            )
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


# The fields of a body that decide what its prompt is.
_OF_THE_PROMPT = {"model", "messages", "tools", "think", "prompt", "system", "suffix", "truncate", "shift", "raw"}


def _admission(
    ask: ParsedRequest | ParsedEmbedding, caller: Caller, call: EngineRequest, prompt_tokens: int
) -> Admission:
    """Raises PermissionRefused for a model that the key is not for."""
    require_allowed(caller, ask.model)
    return Admission(
        request_id=call.request_id,
        caller=caller,
        endpoint=ask.endpoint,
        model=ask.model,
        prompt_tokens=prompt_tokens,
        output_tokens=ask.output_tokens,
        user=ask.user,
        stream=ask.stream,
        can_grow=caller.is_live and ask.output_tokens > 0,
        least_prompt_tokens=ask.least_prompt_tokens if caller.is_live else None,
    )


def answer_id(ask: ParsedRequest, call: EngineRequest) -> str:
    return ask.id_prefix + call.request_id.removeprefix("req_")


def outcome(exc: BaseException, call: EngineRequest, *, has_delivered: bool) -> str:
    """How a request that did not complete is booked; the words are declared in `outcomes`."""
    # What is no Exception ends this greenlet or the process: gevent's GreenletExit, SystemExit, KeyboardInterrupt.
    if call.is_shutdown or not isinstance(exc, Exception):
        return "server_shutdown"
    if call.is_gone or isinstance(exc, ClientGone):
        return "client_gone"
    if isinstance(exc, ApiError) and exc.status < 500:
        return "refused"
    return "stream_error" if has_delivered else "upstream_error"


def require_allowed(caller: Caller, model: Model) -> None:
    """Raises PermissionRefused for a model that the key is not for."""
    if caller.models is not None and model.id not in caller.models:
        raise PermissionRefused(
            f"This key is not for the model '{model.id}'. It may use {', '.join(sorted(caller.models))}.",
            param="model",
            code="model_not_allowed",
        )
