"""POST /v1/completions."""

from flask import Blueprint, Response

from llmrack.wire import completions

from .auth import needs
from .generate import answer

bp = Blueprint("completions", __name__)


@bp.post("/completions")
@needs("inference")
def create_completion() -> Response:
    return answer(completions.parse)
