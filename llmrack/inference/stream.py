"""Answers that are given while they are made, as server-sent events."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Generator, Iterator

from ..engines.base import EngineRequest
from ..errors import ApiError, InternalError, UpstreamError
from ..keys.authentication import Caller
from ..metering.limits import LimitState
from ..wire.ollama import Reply
from ..wire.parsed import ParsedRequest, Usage
from . import request
from .context import AppContext
from .request import MeteredRequest

log = logging.getLogger(__name__)

# A killed worker loses at most what was delivered since the last checkpoint.
CHECKPOINT_TOKENS = 10


def start(ask: ParsedRequest, caller: Caller, context: AppContext, call: EngineRequest, created: int) -> Streaming:
    """Start a streamed answer: returns once the model has answered or been silent for long enough to promise a 200.

    Raises ApiError, ClientGone: until here nothing was sent, so a failure can still be a status.
    """
    call.schemas, call.must_call = ask.schemas, ask.must_call
    run = MeteredRequest(ask, caller, context, call)
    try:
        streaming = Streaming(run, ask, created)
        streaming.start()
    except BaseException as exc:
        run.settle(request.outcome(exc, call, has_delivered=False), Usage(0, 0))
        raise
    return streaming


class Streaming:
    """The bytes of a server-sent event stream. `close` may come at any time, also before the first byte."""

    def __init__(self, run: MeteredRequest, ask: ParsedRequest, created: int) -> None:
        self._run = run
        # Each goes as soon as it is sent: an iterator over a list would keep them all, with their prompts.
        self._bodies = deque(run.bodies())
        self._wire = ask.open_stream(request.answer_id(ask, run.call), created)
        self._choice = -1
        self._batches: Generator[list[Reply]] | None = None
        self._first: list[Reply] | None = None
        self._pieces: Generator[bytes] | None = None
        self._checkpointed = 0
        self._sent_at = time.monotonic()

    @property
    def limits(self) -> LimitState | None:
        """What is left of the caller's limit on tokens while this stream holds its share."""
        return self._run.grant.limits

    def start(self) -> None:
        self._first = self._next()

    def __iter__(self) -> Iterator[bytes]:
        self._pieces = self._bytes()
        return self._pieces

    def close(self) -> None:
        """The server is done with this stream: at its regular end, or because its client has left."""
        if self._pieces is not None:
            self._pieces.close()
        self.end("server_shutdown" if self._run.call.is_shutdown else "client_gone")

    def end(self, outcome: str) -> None:
        """Free the engine and settle; the first outcome wins."""
        if self._batches is not None:
            self._batches.close()
        self._run.settle(outcome, self._wire.usage)

    def _next(self) -> list[Reply] | None:
        """The next batch of the choice at hand, or else the first of the next choice; None after the last.

        No generator: each one that a stream waits in costs it half a kilobyte of stack, and a microsecond a piece.
        """
        while True:
            if self._batches is not None and (batch := next(self._batches, None)) is not None:
                self._run.note(batch)
                return batch
            if not self._bodies:
                return None
            self._choice += 1
            self._batches = self._run.replies(self._bodies.popleft())

    def _bytes(self) -> Generator[bytes]:
        """What goes over the wire. Settled before the last bytes leave, so that a client that has the end is booked."""
        try:
            batch, self._first = self._first, None
            while batch is not None:
                if data := self._feed(batch):
                    yield data
                batch = self._next()
            last = self._wire.close()
        except GeneratorExit:
            raise
        except BaseException as exc:
            outcome = request.outcome(exc, self._run.call, has_delivered=self._wire.delivered > 0)
            self.end(outcome)
            if outcome == "client_gone":
                return
            last = self._wire.failure(_as_api_error(exc, self._run.call))
        else:
            self.end("completed")
        yield last

    def _feed(self, batch: list[Reply]) -> bytes:
        """The bytes of one batch; a comment after a silence, or when what came for long cannot be shown yet."""
        data = self._wire.feed(self._choice, batch)
        if self._wire.delivered - self._checkpointed >= CHECKPOINT_TOKENS:
            self._checkpointed = self._wire.delivered
            usage = self._wire.usage
            self._run.meter.checkpoint(self._run.call.request_id, usage.prompt_tokens, usage.completion_tokens)
        now = time.monotonic()
        # What waits for something says so as often as the engine finds worth while.
        if not data and (self._run.call.waiting_for or now - self._sent_at >= self._run.call.silence_s):
            data = self._wire.ping(self._run.call.waiting_for)
        if data:
            self._sent_at = now
        return data


def _as_api_error(exc: BaseException, call: EngineRequest) -> ApiError:
    if call.is_shutdown:
        return UpstreamError("The server is restarting. Retry is safe.", code="server_shutdown")
    if isinstance(exc, ApiError):
        return exc
    if isinstance(exc, Exception):
        log.exception("a stream broke")
        return InternalError("Something broke on our side. The request id finds it in the logs.")
    return UpstreamError("The server is shutting down. Retry is safe.", code="server_shutdown")
