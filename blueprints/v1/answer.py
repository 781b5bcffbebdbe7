"""What chat and text completions have in common: one parsed question, answered whole or as a stream."""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import Response, g

from llmrack.catalog import Catalog
from llmrack.services import inference, streaming
from llmrack.wire.asks import Ask, Features

from ..extensions import loaded_rack
from . import body
from .respond import answer_reply, close_call, open_call, sse_reply


def answer(parse: Callable[[bytes, Catalog, Features], Ask]) -> Response:
    rack, caller = loaded_rack(), g.caller
    ask = parse(body.read(), rack.catalog, rack.engines.features(caller.mode))
    call = open_call()
    created = int(time.time())
    try:
        if ask.stream:
            return sse_reply(streaming.start(ask, caller, rack, call, created), ask.ignored)
        reply = answer_reply(inference.complete(ask, caller, rack, call, created), ask.ignored)
    except BaseException:
        close_call()
        raise
    close_call()
    return reply
