"""POST /v1/messages and /v1/messages/count_tokens."""

import msgspec
from flask import Blueprint, Response, g

from llmrack.catalog import Catalog
from llmrack.wire.messages import request as messages_request
from llmrack.wire.parsed import Features

from ..extensions import loaded_context
from . import body
from .auth import needs
from .generate import answer, with_images
from .responses import json_reply

bp = Blueprint("messages", __name__)


@bp.after_request
def name_request(response: Response) -> Response:
    """Anthropic's clients read the id from a header of another name."""
    response.headers["request-id"] = g.request_id
    return response


def _parse(raw: bytes, catalog: Catalog, features: Features) -> messages_request.MessagesRequest:
    return with_images(messages_request.parse(raw, catalog, features))


@bp.post("/messages")
@needs("inference")
def create_message() -> Response:
    return answer(_parse)


@bp.post("/messages/count_tokens")
@needs("inference")
def count_tokens() -> Response:
    """An estimate from the prompt's bytes, because Ollama counts no prompt without reading it through the model."""
    context = loaded_context()
    ask = messages_request.parse_to_count(body.read(), context.catalog, context.engines.features(g.caller.mode))
    # The estimate counts 3 bytes to a token; 4 is the usual length.
    reply = json_reply(msgspec.json.encode({"input_tokens": max(1, ask.prompt_tokens * 3 // 4)}))
    reply.headers["x-llmrack-estimate"] = "true"
    return reply
