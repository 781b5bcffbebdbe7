"""Assembles /api: Ollama's own API, behind the same keys and limits as /v1."""

from flask import Blueprint, request

from ..v1 import auth, rate_limits, refusals, responses
from . import answers, embed, models, operators


def create_blueprint() -> Blueprint:
    bp = Blueprint("ollama_api", __name__)
    bp.before_request(auth.authenticate)
    bp.before_request(_check)
    bp.after_request(responses.mark_mode)
    bp.after_request(rate_limits.apply)
    bp.after_request(refusals.note)
    for endpoint in (answers, embed, models, operators):
        bp.register_blueprint(endpoint.bp)
    return bp


def _check() -> None:
    """A look at the models is a read, also where Ollama asks for it with a POST. Raises as `rate_limits.check` does."""
    if (request.endpoint or "").startswith("ollama_api.models."):
        rate_limits.check_read()
    else:
        rate_limits.check()
