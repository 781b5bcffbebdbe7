"""POST /v1/responses. (`responses.py` beside it makes the answers of every endpoint.)"""

from flask import Blueprint, Response

from llmrack.wire.responses import request as responses_request

from .auth import needs
from .generate import answer

bp = Blueprint("responses", __name__)


@bp.post("/responses")
@needs("inference")
def create_response() -> Response:
    return answer(responses_request.parse)
