"""GET /v1/models and GET /v1/models/{id}: the models that the key may use."""

import msgspec
from flask import Blueprint, Response, g, request

from llmrack.errors import NotFound
from llmrack.wire import codex_models, models

from ..extensions import context
from .auth import needs
from .responses import json_reply

bp = Blueprint("models", __name__)


@bp.get("/models")
@needs("models")
def list_models() -> Response:
    allowed = g.caller.models
    shown = context.catalog if allowed is None else [model for model in context.catalog if model.id in allowed]
    body = models.listing(shown)
    if "client_version" in request.args:
        body["models"] = codex_models.listing(shown)
    return json_reply(msgspec.json.encode(body))


@bp.get("/models/<path:model_id>")
@needs("models")
def get_model(model_id: str) -> Response:
    model = context.catalog.get(model_id)
    if model is None or (g.caller.models is not None and model.id not in g.caller.models):
        raise NotFound(
            f"There is no model '{model_id}'. GET /v1/models lists those there are.",
            param="model",
            code="model_not_found",
        )
    return json_reply(msgspec.json.encode(models.one(model)))
