"""What chat and text completions have in common: one parsed question, answered whole or as a stream."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from flask import Response, g

from llmrack.catalog import Catalog
from llmrack.clients.images import Fetcher
from llmrack.services import inference, streaming
from llmrack.wire import chat
from llmrack.wire.asks import Ask, Features

from ..extensions import loaded_rack
from . import body
from .respond import answer_reply, close_call, open_call, sse_reply

Parse = Callable[[bytes, Catalog, Features], Ask]


def parse_chat(raw: bytes, catalog: Catalog, features: Features) -> chat.ChatAsk:
    """A chat request with every image in it; those named by URL are fetched before anything is reserved for it."""
    ask = chat.parse(raw, catalog, features)
    if ask.conversation.image_urls:
        _fetcher().fill(ask.conversation)
    return ask


@functools.cache
def _fetcher() -> Fetcher:
    return Fetcher()


def answer(parse: Parse) -> Response:
    """The answer to the body of this request, for `g.caller`."""
    return answer_to(body.read(), parse)


def answer_to(raw: bytes, parse: Parse) -> Response:
    """The answer to a body that was read or made elsewhere, for `g.caller`."""
    rack, caller = loaded_rack(), g.caller
    ask = parse(raw, rack.catalog, rack.engines.features(caller.mode))
    call = open_call()
    created = int(time.time())
    try:
        if ask.stream:
            return sse_reply(streaming.start(ask, caller, rack, call, created), ask)
        reply = answer_reply(inference.complete(ask, caller, rack, call, created), ask)
    except BaseException:
        close_call()
        raise
    close_call()
    return reply
