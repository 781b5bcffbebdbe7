"""GET /metrics: the figures of all workers for Prometheus, for this machine or with a token."""

from __future__ import annotations

import platform
from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from llmrack import __version__, outbox
from llmrack.errors import ApiError, NotFound
from llmrack.monitoring import exposition, rows
from llmrack.monitoring.figures import Series
from llmrack.pool.pool import Pool

from ..extensions import loaded_context
from ..web import program_access

bp = Blueprint("metrics", __name__)


@bp.get("/metrics")
def scrape() -> Response:
    figures = loaded_context().figures
    may_read = program_access.has_bearer(loaded_context().settings.metrics_token) or _is_on_this_machine()
    if figures is None or not may_read:
        raise NotFound("There is nothing at GET /metrics.")
    response = Response(exposition.text([*figures.series(), *_sampled()]), content_type=exposition.CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response


def _is_on_this_machine() -> bool:
    """Whether the reader runs here: no proxy before us, and no page of a browser whose name was bound anew."""
    try:
        host = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return False
    return program_access.is_from_this_machine() and outbox.is_loopback(host)


def _sampled() -> list[Series]:
    """What is asked for at each scrape."""
    context = loaded_context()
    try:
        context.store.ping()
        is_up = 1.0
    except ApiError:
        is_up = 0.0
    found = [
        Series(rows.BUILD, (__version__, platform.python_version()), (1.0,)),
        Series(rows.DB_UP, (), (is_up,)),
    ]
    if isinstance(context.engines.live, Pool):
        state = context.engines.live.state()
        found += [Series(rows.QUEUE_WAITING, (model,), (count,)) for model, count in state.waiting.items()]
        for host in state.hosts:
            found.append(Series(rows.POOL_HOST_UP, (host.name,), (float(host.is_up),)))
            found += [Series(rows.POOL_RESIDENT, (host.name, model), (1.0,)) for model in host.models]
    return found
