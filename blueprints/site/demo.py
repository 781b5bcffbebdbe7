"""POST /try: the question on the front page."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, Response, request

from llmrack.accounts import throttle
from llmrack.errors import RateLimited
from llmrack.inference.demo import PER_ADDRESS, Demo

from ..extensions import context, site
from ..v1 import responses
from ..web import compression
from . import front_page

bp = Blueprint("demo", __name__)
bp.after_request(compression.pack)


@bp.post("/try")
def ask() -> Response | str:
    """A stream for scripts, the whole front page with its answer for browsers without them."""
    _count()
    is_stream = request.accept_mimetypes.best_match(("text/html", "text/event-stream")) == "text/event-stream"
    prompt = request.form.get("prompt", "")
    call = responses.open_call()
    try:
        demo = Demo(prompt, site.facts.model("fast"), context.catalog, context.engines.test, call, stream=is_stream)
        if is_stream:
            demo.start()
            return responses.sse_reply(demo)
        answer = demo.answer()
    except BaseException:
        responses.close_call()
        raise
    responses.close_call()
    return front_page.show(prompt, answer)


@bp.after_request
def mark_mode(response: Response) -> Response:
    """Test mode answers here, signed in or not."""
    response.headers["x-llmrack-mode"] = "test"
    return response


def _count() -> None:
    try:
        throttle.take(context.store, datetime.now(UTC), (PER_ADDRESS, throttle.network(request.remote_addr)))
    except throttle.TooMany as error:
        raise RateLimited(
            f"The demo takes {PER_ADDRESS.tries} questions in ten minutes. With a key of your own there is more.",
            retry_after_s=error.retry_after_s,
        ) from None
