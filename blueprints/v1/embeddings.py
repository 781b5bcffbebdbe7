"""POST /v1/embeddings."""

from flask import Blueprint, Response, g

from llmrack.services import inference
from llmrack.wire import embeddings

from ..extensions import rack
from . import body
from .auth import needs
from .respond import answer_reply, close_call, open_call

bp = Blueprint("embeddings", __name__)


@bp.post("/embeddings")
@needs("embeddings")
def create_embeddings() -> Response:
    ask = embeddings.parse(body.read(), rack.catalog)
    call = open_call()
    try:
        return answer_reply(inference.embed(ask, g.caller, rack, call), ask)
    finally:
        close_call()
