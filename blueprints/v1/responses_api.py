"""POST /v1/responses. (`responses.py` beside it makes the answers of every endpoint.)"""

from flask import Blueprint, Response

from llmrack.catalog import Catalog
from llmrack.wire.parsed import Features
from llmrack.wire.responses import request as responses_request

from .auth import needs
from .generate import answer, with_images

bp = Blueprint("responses", __name__)


def _parse(raw: bytes, catalog: Catalog, features: Features) -> responses_request.ResponsesRequest:
    return with_images(responses_request.parse(raw, catalog, features))


@bp.post("/responses")
@needs("inference")
def create_response() -> Response:
    return answer(_parse)
