"""Whether the process runs, and whether it can do its work."""

from flask import Blueprint, Response, jsonify

from llmrack.errors import ApiError

from .extensions import rack

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def alive() -> Response:
    """200 as long as the process answers: what a load balancer asks often."""
    return jsonify(status="ok")


@bp.get("/readyz")
def ready() -> tuple[Response, int]:
    """{"status", "database", "ollama"}: 503 when the database is away; a missing Ollama only stops live keys."""
    checks = {"database": _state(rack.store.ping), "ollama": _state(rack.engines.live.version)}
    is_ready = checks["database"] == "ok"
    return jsonify(status="ok" if is_ready else "unavailable", **checks), 200 if is_ready else 503


def _state(check) -> str:  # type: ignore[no-untyped-def]
    try:
        check()
    except ApiError:
        return "unavailable"
    return "ok"
