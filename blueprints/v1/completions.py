"""POST /v1/completions."""

from flask import Blueprint, Response

from llmrack.wire import completions

from .answer import answer
from .auth import needs

bp = Blueprint("completions", __name__)


@bp.post("/completions")
@needs("inference")
def create_completion() -> Response:
    return answer(completions.parse)
