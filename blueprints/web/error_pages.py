"""Failures as pages: for browsers, outside the API. Everybody else gets the envelope."""

from __future__ import annotations

import logging

from flask import Flask, Response, g, make_response, render_template, request
from werkzeug.exceptions import HTTPException, NotFound

from llmrack.errors import ApiError, RequestTimedOut
from llmrack.keys.keys import NoSuchKey
from llmrack.teams.teams import NoSuchTeam

from ..v1 import errors

log = logging.getLogger(__name__)

TITLES = {
    400: "This request is not valid",
    403: "This was refused",
    404: "There is nothing here",
    405: "This cannot be done here",
    413: "This is too large",
    429: "Too many attempts",
    503: "Please try again in a moment",
}
BROKEN = "Something broke on our side"


def init_app(app: Flask) -> None:
    """Replaces the API's handlers by ones that look first at who asks."""
    app.register_error_handler(ApiError, _api)
    app.register_error_handler(HTTPException, _http)
    for missing in (NoSuchKey, NoSuchTeam):
        app.register_error_handler(missing, lambda _: _http(NotFound()))
    app.register_error_handler(Exception, _unexpected)


def wants_page() -> bool:
    """Whether the client prefers HTML, as browsers do."""
    if request.path.startswith(("/v1", "/api/", "/playground/chat/")):
        return False
    accepted = request.accept_mimetypes
    return accepted.best_match(["application/json", "text/html"]) == "text/html"


def page(status: int, sentence: str, retry_after_s: int | None = None) -> Response:
    title = TITLES.get(status, BROKEN)
    text = render_template("errors/error.html", status=status, title=title, sentence=sentence)
    response = make_response(text, status)
    response.headers["Cache-Control"] = "no-store"
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


def _api(error: ApiError) -> Response:
    if not wants_page():
        return errors.render(error)
    if isinstance(error, RequestTimedOut):
        # Slow clients come by the thousand, and end at the same moment: a page for each takes the others' time.
        return make_response(f"{error.message}\n", error.status, {"Content-Type": "text/plain; charset=utf-8"})
    return page(error.status, error.message, error.retry_after_s)


def _http(error: HTTPException) -> Response:
    if error.response is not None or (error.code or 500) < 400 or not wants_page():
        return errors.render_http(error)
    sentence = "No page has this address." if isinstance(error, NotFound) else error.description or ""
    return page(error.code or 500, sentence)


def _unexpected(error: Exception) -> Response:
    if not wants_page():
        return errors.render_unexpected(error)
    log.exception("unexpected failure at %s %s", request.method, request.path)
    return page(500, f"It is in our logs under {g.get('request_id', 'its time')}.")
