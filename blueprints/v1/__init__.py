"""Assembles /v1: authentication, the error envelope, and one module per public endpoint."""

from flask import Blueprint

from . import auth, chat, completions, cors, embeddings, models, respond


def create_blueprint() -> Blueprint:
    bp = Blueprint("v1", __name__)
    bp.before_request(auth.authenticate)
    bp.after_request(cors.allow)
    bp.after_request(respond.mark_mode)
    for endpoint in (chat, completions, embeddings, models):
        bp.register_blueprint(endpoint.bp)
    return bp
