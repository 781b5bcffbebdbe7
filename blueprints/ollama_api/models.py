"""GET /api/tags, /api/ps and /api/version, POST /api/show: the models that the key may use."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from flask import Blueprint, Response, g

from llmrack.catalog import Model
from llmrack.inference.request import require_allowed
from llmrack.wire.ollama_api import models

from ..extensions import context
from ..site import ollama_status
from ..v1 import body, rate_limits
from ..v1.auth import needs
from ..v1.responses import json_reply

bp = Blueprint("models", __name__)


@bp.get("/tags")
@needs("models")
def list_models() -> Response:
    return _reply(models.listing(_allowed(), context.catalog, g.caller.models))


@bp.get("/ps")
@needs("models")
def list_loaded() -> Response:
    """No model is behind test mode, so there none is loaded."""
    loaded: list[Model] = []
    if g.caller.is_live:
        state = ollama_status.models(context)
        loaded = [model for model in _allowed() if state.of(model) == "loaded"]
    until = datetime.now(UTC) + timedelta(seconds=ollama_status.KEEP_S)
    return _reply(models.running(loaded, context.catalog, g.caller.models, until))


@bp.post("/show")
@needs("models")
@rate_limits.asks_no_model
def show_model() -> Response:
    model = models.asked(body.read(), context.catalog, g.caller.models)
    require_allowed(g.caller, model)
    return _reply(models.description(model))


@bp.get("/version")
def version() -> Response:
    return _reply({"version": models.API_VERSION})


def _allowed() -> list[Model]:
    allowed = g.caller.models
    return [model for model in context.catalog if allowed is None or model.id in allowed]


def _reply(answer: dict[str, Any]) -> Response:
    return json_reply(msgspec.json.encode(answer))
