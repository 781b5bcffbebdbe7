"""GET /metrics: the figures of all workers for Prometheus, for this machine or with a token."""

from __future__ import annotations

import hmac
import platform
from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from llmrack import __version__, outbox
from llmrack.deployment import LOOPBACK
from llmrack.errors import ApiError, NotFound
from llmrack.keys import networks
from llmrack.monitoring import exposition, rows
from llmrack.monitoring.figures import Series
from llmrack.pool.pool import Pool

from ..extensions import loaded_context

bp = Blueprint("metrics", __name__)


@bp.get("/metrics")
def scrape() -> Response:
    figures = loaded_context().figures
    if figures is None or not (_has_token() or _is_on_this_machine()):
        raise NotFound("There is nothing at GET /metrics.")
    response = Response(exposition.text([*figures.series(), *_sampled()]), content_type=exposition.CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response


def _has_token() -> bool:
    token: str = loaded_context().settings.metrics_token
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return bool(token) and scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def _is_on_this_machine() -> bool:
    """Whether the reader runs here: no proxy before us, and no page of a browser whose name was bound anew."""
    if outbox.is_forwarded(name for name, _ in request.headers):
        return False
    try:
        host = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return False
    return networks.holds(LOOPBACK, request.remote_addr) and outbox.is_loopback(host)


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
