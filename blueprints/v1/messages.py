"""POST /v1/messages and /v1/messages/count_tokens."""

import msgspec
from flask import Blueprint, Response, g

from llmrack.wire.messages import request as messages_request
from llmrack.wire.parsed import usual_tokens

from ..extensions import loaded_context
from . import body, rate_limits
from .auth import needs
from .generate import answer
from .responses import json_reply

bp = Blueprint("messages", __name__)


@bp.after_request
def name_request(response: Response) -> Response:
    """Anthropic's clients read the id from a header of another name."""
    response.headers["request-id"] = g.request_id
    return response


@bp.post("/messages")
@needs("inference")
def create_message() -> Response:
    return answer(messages_request.parse)


@bp.post("/messages/count_tokens")
@needs("inference")
@rate_limits.asks_no_model
def count_tokens() -> Response:
    """An estimate from the prompt's bytes, because Ollama counts no prompt without reading it through the model."""
    context = loaded_context()
    ask = messages_request.parse_to_count(body.read(), context.catalog, context.engines.features(g.caller.mode))
    reply = json_reply(msgspec.json.encode({"input_tokens": max(1, usual_tokens(ask.prompt_tokens))}))
    reply.headers["x-llmrack-estimate"] = "true"
    return reply
