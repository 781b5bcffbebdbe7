"""POST /v1/embeddings."""

from flask import Blueprint, Response, g

from llmrack.inference import complete
from llmrack.wire import embeddings

from ..extensions import context
from . import body
from .auth import needs
from .responses import answer_reply, close_call, open_call

bp = Blueprint("embeddings", __name__)


@bp.post("/embeddings")
@needs("embeddings")
def create_embeddings() -> Response:
    ask = embeddings.parse(body.read(), context.catalog)
    call = open_call()
    try:
        return answer_reply(complete.embed(ask, g.caller, context, call), ask, call)
    finally:
        close_call()
