"""POST /v1/chat/completions."""

from flask import Blueprint, Response

from .auth import needs
from .generate import answer, parse_chat

bp = Blueprint("chat", __name__)


@bp.post("/chat/completions")
@needs("inference")
def create_chat_completion() -> Response:
    return answer(parse_chat)
