"""POST /v1/chat/completions."""

from flask import Blueprint, Response

from .answer import answer, parse_chat
from .auth import needs

bp = Blueprint("chat", __name__)


@bp.post("/chat/completions")
@needs("inference")
def create_chat_completion() -> Response:
    return answer(parse_chat)
