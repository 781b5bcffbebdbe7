"""Whether the process runs, and whether it can do its work."""

import time
from collections.abc import Callable

from flask import Blueprint, Response, jsonify

from llmrack.errors import ApiError

from ..extensions import context

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def alive() -> Response:
    """200 as long as the process answers: what a load balancer asks often."""
    return jsonify(status="ok")


@bp.get("/readyz")
def ready() -> tuple[Response, int]:
    """{"status", "database", "ollama"}: 503 when the database is away; a missing Ollama only stops live keys."""
    checks = {"database": _state(context.store.ping), "ollama": _ollama.state(context.engines.live.version)}
    is_ready = checks["database"] == "ok"
    return jsonify(status="ok" if is_ready else "unavailable", **checks), 200 if is_ready else 503


class _Kept:
    """The last state of something, for `KEPT_S`: strangers may ask often, and must not drive what is asked."""

    def __init__(self) -> None:
        self._state = ""
        self._asked_at = float("-inf")

    def state(self, check: Callable[[], object]) -> str:
        now = time.monotonic()
        if now - self._asked_at >= KEPT_S:
            # Set first: those who come meanwhile get the state before.
            self._asked_at = now
            self._state = _state(check)
        return self._state or "unavailable"


KEPT_S = 2.0
_ollama = _Kept()


def _state(check: Callable[[], object]) -> str:
    try:
        check()
    except ApiError:
        return "unavailable"
    return "ok"
