"""What chat and text completions have in common: one parsed question, answered whole or as a stream."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from flask import Response, g

from llmrack.catalog import Catalog
from llmrack.clients.images import Fetcher
from llmrack.inference import complete, stream
from llmrack.wire.chat.request import ChatRequest
from llmrack.wire.parsed import Features, ParsedRequest

from ..extensions import loaded_context
from . import body
from .responses import SSE_HEADERS, answer_reply, close_call, open_call, sse_reply

Parse = Callable[[bytes, Catalog, Features], ParsedRequest]


@functools.cache
def _fetcher() -> Fetcher:
    return Fetcher()


def answer(parse: Parse) -> Response:
    """The answer to the body of this request, for `g.caller`."""
    return answer_to(body.read(), parse)


def answer_to(raw: bytes, parse: Parse) -> Response:
    """The answer to a body that was read or made elsewhere, for `g.caller`."""
    context = loaded_context()
    ask = parse(raw, context.catalog, context.engines.features(g.caller.mode))
    if isinstance(ask, ChatRequest) and ask.conversation.image_urls:
        # Before anything is reserved for the request: fetching may take long, and fail.
        _fetcher().fill(ask.conversation)
    return answer_ask(ask)


def answer_ask(ask: ParsedRequest, stream_headers: dict[str, str] = SSE_HEADERS) -> Response:
    """The answer to a parsed request, for `g.caller`; `stream_headers` say what a stream of it is."""
    context, caller = loaded_context(), g.caller
    call = open_call()
    created = int(time.time())
    try:
        if ask.stream:
            return sse_reply(stream.start(ask, caller, context, call, created), ask, call, stream_headers)
        reply = answer_reply(complete.complete(ask, caller, context, call, created), ask, call)
    except BaseException:
        close_call()
        raise
    close_call()
    return reply
