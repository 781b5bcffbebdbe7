"""Answers that are given whole: embeddings, and chat and text completions without a stream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..engines.base import EngineRequest
from ..keys.authentication import Caller
from ..metering.limits import LimitState
from ..wire.ollama import Reply
from ..wire.parsed import ParsedEmbedding, ParsedRequest, Plain, Usage
from . import request
from .context import AppContext
from .request import MeteredRequest


class Answer(NamedTuple):
    """A whole JSON answer, and what is left of the caller's limit on tokens after it."""

    body: bytes
    limits: LimitState | None


def embed(ask: ParsedEmbedding, caller: Caller, context: AppContext, call: EngineRequest) -> Answer:
    """The JSON answer of an embeddings request. Raises ApiError, ClientGone."""
    run = MeteredRequest(ask, caller, context, call)
    try:
        reply = run.engine.embed(ask.body(), call)
        answer = ask.answer(reply)
        usage = ask.usage(reply)
        run.hold(usage)
    except BaseException as exc:
        run.settle(request.outcome(exc, call, has_delivered=False), Usage(0, 0))
        raise
    run.settle("completed", usage)
    return Answer(answer, run.limits_after(usage))


def complete(ask: ParsedRequest, caller: Caller, context: AppContext, call: EngineRequest, created: int) -> Answer:
    """The whole JSON answer of a plain chat or text completion. Raises ApiError, ClientGone."""
    call.schemas, call.must_call = ask.schemas, ask.must_call
    run = MeteredRequest(ask, caller, context, call)
    try:
        plain = ask.open_plain(request.answer_id(ask, call), created)
        for choice, body in enumerate(run.bodies()):
            _collect(run, run.replies(body), plain, choice)
        repair = plain.repair(run.grant.output_tokens)
        if repair is not None:
            _collect(run, run.replies(repair, is_repair=True), plain, 0)
        answer = plain.body()
    except BaseException as exc:
        run.settle(request.outcome(exc, call, has_delivered=False), Usage(0, 0))
        raise
    usage = plain.usage
    run.settle("completed", usage)
    return Answer(answer, run.limits_after(usage))


def _collect(run: MeteredRequest, batches: Iterable[list[Reply]], plain: Plain, choice: int) -> None:
    for batch in batches:
        run.note(batch)
        plain.feed(choice, batch)
