"""POST /v1/chat/completions."""

from flask import Blueprint, Response

from llmrack.wire.chat import request as chat_request

from .auth import needs
from .generate import answer

bp = Blueprint("chat", __name__)


@bp.post("/chat/completions")
@needs("inference")
def create_chat_completion() -> Response:
    return answer(chat_request.parse)
