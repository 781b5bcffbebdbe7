"""POST /try: the question on the front page."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, Response, request

from llmrack.errors import RateLimited
from llmrack.services import throttle
from llmrack.services.demo import PER_ADDRESS, Demo

from . import compression, front_page
from .extensions import rack, site
from .v1 import respond

bp = Blueprint("demo", __name__)
bp.after_request(compression.pack)


@bp.post("/try")
def ask() -> Response | str:
    """A stream for scripts, the whole front page with its answer for browsers without them."""
    _count()
    is_stream = request.accept_mimetypes.best_match(("text/html", "text/event-stream")) == "text/event-stream"
    prompt = request.form.get("prompt", "")
    call = respond.open_call()
    try:
        demo = Demo(prompt, site.facts.model("fast"), rack.catalog, rack.engines.test, call, stream=is_stream)
        if is_stream:
            demo.start()
            return respond.sse_reply(demo)
        answer = demo.answer()
    except BaseException:
        respond.close_call()
        raise
    respond.close_call()
    return front_page.show(prompt, answer)


@bp.after_request
def mark_mode(response: Response) -> Response:
    """Test mode answers here, whoever asks."""
    response.headers["x-llmrack-mode"] = "test"
    return response


def _count() -> None:
    try:
        throttle.take(rack.store, datetime.now(UTC), (PER_ADDRESS, throttle.network(request.remote_addr)))
    except throttle.TooMany as error:
        raise RateLimited(
            f"The demo takes {PER_ADDRESS.tries} questions in ten minutes. With a key of your own there is more.",
            retry_after_s=error.retry_after_s,
        ) from None
