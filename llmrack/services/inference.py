"""Answers that are given whole: embeddings, and chat and text completions without a stream."""

from __future__ import annotations

from ..engines.base import Call
from ..wire.asks import Ask, EmbedAsk, Usage
from . import runs
from .keys import Caller
from .rack import Rack
from .runs import Run


def embed(ask: EmbedAsk, caller: Caller, rack: Rack, call: Call) -> bytes:
    """The JSON answer of an embeddings request. Raises ApiError, ClientGone."""
    run = Run(ask, caller, rack, call)
    try:
        reply = run.engine.embed(ask.body(), call)
        answer = ask.answer(reply)
    except BaseException as exc:
        run.settle(runs.outcome(exc, call, has_delivered=False), Usage(0, 0))
        raise
    run.settle("completed", ask.usage(reply))
    return answer


def complete(ask: Ask, caller: Caller, rack: Rack, call: Call, created: int) -> bytes:
    """The whole JSON answer of a plain chat or text completion. Raises ApiError, ClientGone."""
    call.schemas, call.must_call = ask.schemas, ask.must_call
    run = Run(ask, caller, rack, call)
    output_tokens = run.grant.output_tokens
    try:
        plain = ask.open_plain(runs.answer_id(ask, call), created)
        for choice, body in enumerate(ask.bodies(output_tokens)):
            for batch in run.replies(body):
                plain.feed(choice, batch)
        repair = plain.repair(output_tokens)
        for batch in run.replies(repair) if repair is not None else ():
            plain.feed(0, batch)
        answer = plain.body()
    except BaseException as exc:
        run.settle(runs.outcome(exc, call, has_delivered=False), Usage(0, 0))
        raise
    run.settle("completed", plain.usage)
    return answer
