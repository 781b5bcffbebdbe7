"""POST /api/chat and /api/generate."""

from collections.abc import Callable

from flask import Blueprint, Response, g

from llmrack.catalog import Catalog
from llmrack.inference.request import require_allowed
from llmrack.wire.ollama_api import request
from llmrack.wire.ollama_api.load import Load
from llmrack.wire.ollama_api.names import Allowed
from llmrack.wire.ollama_api.request import OllamaRequest
from llmrack.wire.parsed import Features

from ..extensions import loaded_context
from ..v1 import body
from ..v1.auth import needs
from ..v1.generate import answer_ask
from ..v1.responses import SSE_HEADERS, json_reply, marked

bp = Blueprint("answers", __name__)

LINE_HEADERS = {**SSE_HEADERS, "Content-Type": "application/x-ndjson"}


@bp.post("/chat")
@needs("inference")
def create_chat() -> Response:
    return _answer(request.parse_chat)


@bp.post("/generate")
@needs("inference")
def create_generate() -> Response:
    return _answer(request.parse_generate)


def _answer(parse: Callable[[bytes, Catalog, Features, Allowed], OllamaRequest | Load]) -> Response:
    context, caller = loaded_context(), g.caller
    ask = parse(body.read(), context.catalog, context.engines.features(caller.mode), caller.models)
    if isinstance(ask, Load):
        require_allowed(caller, ask.model)
        return marked(json_reply(ask.answer()), ask, None)
    return answer_ask(ask, LINE_HEADERS)
