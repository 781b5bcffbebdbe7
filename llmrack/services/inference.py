"""One request from admission to settlement, whatever engine answers it and however it ends."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Generator, Iterator
from typing import Any

from ..engines.base import Call, ClientGone, Engine
from ..errors import ApiError, InternalError, PermissionRefused, UpstreamError
from ..wire import sse
from ..wire.asks import Ask, EmbedAsk, Usage
from ..wire.ollama import Reply
from .keys import Caller
from .metering import Admission, Grant, Meter, Settlement
from .rack import Rack

log = logging.getLogger(__name__)

# A killed worker loses at most what was delivered since the last checkpoint.
CHECKPOINT_TOKENS = 10


class Run:
    """One admitted request. It is settled exactly once, by whichever of its ends comes first."""

    def __init__(self, ask: Ask | EmbedAsk, caller: Caller, rack: Rack, call: Call) -> None:
        self.ask = ask
        self.call = call
        self.mode = caller.mode
        self.engine: Engine = rack.engines.of(caller.mode)
        self.meter: Meter = rack.meter
        self._started = time.perf_counter_ns()
        self._first_token_ns = 0
        self._durations = Durations()
        self._is_settled = False
        self.grant: Grant = rack.meter.admit(_admission(ask, caller, call))

    def replies(self, body: dict[str, Any]) -> Iterator[list[Reply]]:
        """The engine's batches for one body, with the times they report noted. Raises ApiError, ClientGone."""
        answer = self.engine.chat if self.ask.endpoint == "chat" else self.engine.generate
        for batch in answer(body, self.call):
            if batch:
                if not self._first_token_ns:
                    self._first_token_ns = time.perf_counter_ns() - self._started
                self._durations.note(batch[-1])
            yield batch

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


def embed(ask: EmbedAsk, caller: Caller, rack: Rack, call: Call) -> bytes:
    """The JSON answer of an embeddings request. Raises ApiError, ClientGone."""
    run = Run(ask, caller, rack, call)
    try:
        reply = run.engine.embed(ask.body(), call)
        answer = ask.answer(reply)
    except BaseException as exc:
        run.settle(_outcome(exc, call, has_delivered=False), Usage(0, 0))
        raise
    run.settle("completed", ask.usage(reply))
    return answer


def complete(ask: Ask, caller: Caller, rack: Rack, call: Call, created: int) -> bytes:
    """The whole JSON answer of a plain chat or text completion. Raises ApiError, ClientGone."""
    call.schemas, call.must_call = ask.schemas, ask.must_call
    run = Run(ask, caller, rack, call)
    output_tokens = run.grant.output_tokens
    try:
        plain = ask.open_plain(_answer_id(ask, call), created)
        for choice, body in enumerate(ask.bodies(output_tokens)):
            for batch in run.replies(body):
                plain.feed(choice, batch)
        repair = plain.repair(output_tokens)
        for batch in run.replies(repair) if repair is not None else ():
            plain.feed(0, batch)
        answer = plain.body()
    except BaseException as exc:
        run.settle(_outcome(exc, call, has_delivered=False), Usage(0, 0))
        raise
    run.settle("completed", plain.usage)
    return answer


def stream(ask: Ask, caller: Caller, rack: Rack, call: Call, created: int) -> Streaming:
    """Start a streamed answer: returns once the model has answered or been silent for long enough to promise a 200.

    Raises ApiError, ClientGone: until here nothing was sent, so a failure can still be a status.
    """
    call.schemas, call.must_call = ask.schemas, ask.must_call
    run = Run(ask, caller, rack, call)
    try:
        streaming = Streaming(run, ask, created)
        streaming.start()
    except BaseException as exc:
        run.settle(_outcome(exc, call, has_delivered=False), Usage(0, 0))
        raise
    return streaming


class Streaming:
    """The bytes of a server-sent event stream. `close` may come at any time, also before the first byte."""

    def __init__(self, run: Run, ask: Ask, created: int) -> None:
        self._run = run
        self._bodies = ask.bodies(run.grant.output_tokens)
        self._wire = ask.open_stream(_answer_id(ask, run.call), created)
        self._batches = self._all_batches()
        self._first: list[tuple[int, list[Reply]]] = []
        self._pieces: Generator[bytes] | None = None
        self._checkpointed = 0
        self._sent_at = time.monotonic()

    def start(self) -> None:
        self._first = [next(self._batches)]

    def __iter__(self) -> Iterator[bytes]:
        self._pieces = self._bytes()
        return self._pieces

    def close(self) -> None:
        """The server is done with this stream: at its regular end, or because nobody reads it any more."""
        if self._pieces is not None:
            self._pieces.close()
        self.end("server_shutdown" if self._run.call.is_shutdown else "client_gone")

    def end(self, outcome: str) -> None:
        """Free the engine and settle; the first outcome wins."""
        self._batches.close()
        self._run.settle(outcome, self._wire.usage)

    def _all_batches(self) -> Generator[tuple[int, list[Reply]]]:
        for choice, body in enumerate(self._bodies):
            for batch in self._run.replies(body):
                yield choice, batch

    def _bytes(self) -> Generator[bytes]:
        """What goes over the wire. Settled before the last bytes leave, so that a client that has the end is booked."""
        try:
            for choice, batch in itertools.chain(self._first, self._batches):
                if data := self._feed(choice, batch):
                    yield data
            last = self._wire.close()
        except GeneratorExit:
            raise
        except BaseException as exc:
            outcome = _outcome(exc, self._run.call, has_delivered=self._wire.delivered > 0)
            self.end(outcome)
            if outcome == "client_gone":
                return
            last = self._wire.failure(_as_api_error(exc, self._run.call))
        else:
            self.end("completed")
        yield last

    def _feed(self, choice: int, batch: list[Reply]) -> bytes:
        """The bytes of one batch; a comment after a silence, or when what came for long cannot be shown yet."""
        data = self._wire.feed(choice, batch)
        if self._wire.delivered - self._checkpointed >= CHECKPOINT_TOKENS:
            self._checkpointed = self._wire.delivered
            usage = self._wire.usage
            self._run.meter.checkpoint(self._run.call.request_id, usage.prompt_tokens, usage.completion_tokens)
        now = time.monotonic()
        if not data and now - self._sent_at >= self._run.call.silence_s:
            data = sse.PING
        if data:
            self._sent_at = now
        return data


def _answer_id(ask: Ask, call: Call) -> str:
    return ask.id_prefix + call.request_id.removeprefix("req_")


def _outcome(exc: BaseException, call: Call, *, has_delivered: bool) -> str:
    """How a request that did not complete is booked; the words are declared in `metering`."""
    # What is no Exception ends this greenlet or the process: gevent's GreenletExit, SystemExit, KeyboardInterrupt.
    if call.is_shutdown or not isinstance(exc, Exception):
        return "server_shutdown"
    if call.is_gone or isinstance(exc, ClientGone):
        return "client_gone"
    if isinstance(exc, ApiError) and exc.status < 500:
        return "refused"
    return "stream_error" if has_delivered else "upstream_error"


def _as_api_error(exc: BaseException, call: Call) -> ApiError:
    if call.is_shutdown:
        return UpstreamError("The server is restarting. Retry is safe.", code="server_shutdown")
    if isinstance(exc, ApiError):
        return exc
    if isinstance(exc, Exception):
        log.exception("a stream broke")
        return InternalError("Something broke on our side. The request id finds it in the logs.")
    return UpstreamError("The server is shutting down. Retry is safe.", code="server_shutdown")
