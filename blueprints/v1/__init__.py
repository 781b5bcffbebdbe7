"""Assembles /v1: authentication, the error envelope, and one module per public endpoint."""

from flask import Blueprint

from . import auth, chat, completions, elsewhere, embeddings, limits, models, refused, respond, usage


def create_blueprint() -> Blueprint:
    bp = Blueprint("v1", __name__)
    bp.before_request(auth.authenticate)
    bp.before_request(limits.check)
    bp.after_request(respond.mark_mode)
    bp.after_request(limits.apply)
    bp.after_request(refused.note)
    for endpoint in (chat, completions, embeddings, models, usage, elsewhere):
        bp.register_blueprint(endpoint.bp)
    return bp
