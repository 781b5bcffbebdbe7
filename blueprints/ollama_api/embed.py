"""POST /api/embed, and its older form /api/embeddings."""

from collections.abc import Callable

from flask import Blueprint, Response, g

from llmrack.catalog import Catalog
from llmrack.inference import complete
from llmrack.inference.request import require_allowed
from llmrack.wire.ollama_api import embed
from llmrack.wire.ollama_api.embed import NoVectors, OllamaEmbedding
from llmrack.wire.ollama_api.names import Allowed

from ..extensions import loaded_context
from ..v1 import body
from ..v1.auth import needs
from ..v1.responses import answer_reply, close_call, json_reply, marked, open_call

bp = Blueprint("embed", __name__)


@bp.post("/embed")
@needs("embeddings")
def create_vectors() -> Response:
    return _answer(embed.parse)


@bp.post("/embeddings")
@needs("embeddings")
def create_vector() -> Response:
    return _answer(embed.parse_single)


def _answer(parse: Callable[[bytes, Catalog, Allowed], OllamaEmbedding | NoVectors]) -> Response:
    context, caller = loaded_context(), g.caller
    ask = parse(body.read(), context.catalog, caller.models)
    if isinstance(ask, NoVectors):
        require_allowed(caller, ask.model)
        return marked(json_reply(ask.answer()), ask, None)
    call = open_call()
    try:
        return answer_reply(complete.embed(ask, caller, context, call), ask, call)
    finally:
        close_call()
