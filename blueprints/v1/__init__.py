"""Assembles /v1: authentication, the error envelope, and one module per public endpoint."""

from flask import Blueprint

from . import (
    auth,
    chat,
    completions,
    embeddings,
    messages,
    models,
    rate_limits,
    refusals,
    responses,
    responses_api,
    usage,
)


def create_blueprint() -> Blueprint:
    bp = Blueprint("v1", __name__)
    bp.before_request(auth.authenticate)
    bp.before_request(rate_limits.check)
    bp.after_request(responses.mark_mode)
    bp.after_request(rate_limits.apply)
    bp.after_request(refusals.note)
    for endpoint in (chat, responses_api, messages, completions, embeddings, models, usage):
        bp.register_blueprint(endpoint.bp)
    return bp
