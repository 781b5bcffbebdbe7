"""Any failure becomes the envelope: on every path under /v1, and on every path that is not served."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.exceptions import NotFound as NoRoute

from llmrack.engines.base import ClientGone
from llmrack.errors import (
    ApiError,
    BodyTooLarge,
    InternalError,
    InvalidRequest,
    MethodRefused,
    NotFound,
    RateLimited,
    UpgradeRefused,
)
from llmrack.monitoring import requests as request_figures
from llmrack.wire import errors as wire_errors
from llmrack.wire.messages import errors as messages_errors
from llmrack.wire.ollama_api import names

from ..extensions import loaded_context
from . import auth, rate_limits, refusals, responses

log = logging.getLogger(__name__)

# Where keys are asked for.
PREFIXES = ("/v1/", "/api/")


def init_app(app: Flask) -> None:
    app.register_error_handler(ApiError, render)
    app.register_error_handler(ClientGone, render_gone)
    app.register_error_handler(HTTPException, render_http)
    app.register_error_handler(Exception, render_unexpected)


def render(error: ApiError) -> Response:
    """The envelope, with `Retry-After` and whatever headers the error carries."""
    g.refusal = error
    if (figures := loaded_context().figures) is not None:
        request_figures.refused(figures, error.status, error.code)
    response = Response(_envelope(request.path)(error), error.status, mimetype="application/json")
    response.headers.extend(error.headers)
    if error.token_limits is not None:
        g.token_limits = error.token_limits
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, error.retry_after_s))
    if request.path.startswith(_MESSAGES) and messages_errors.is_final(error):
        response.headers["x-should-retry"] = "false"
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="LLMRack"'
    return response


# The shape of an error by the beginning of its path; everywhere else it is OpenAI's.
_MESSAGES = "/v1/messages"
_ENVELOPES: tuple[tuple[str, Callable[[ApiError], bytes]], ...] = (
    (_MESSAGES, messages_errors.envelope),
    # A client of OpenAI's API whose base URL is wrong.
    ("/api/v1/", wire_errors.envelope),
    ("/api/", names.envelope),
)


def _envelope(path: str) -> Callable[[ApiError], bytes]:
    return next((envelope for beginning, envelope in _ENVELOPES if path.startswith(beginning)), wire_errors.envelope)


def render_gone(_: ClientGone) -> Response:
    """The client has left; 499 is what proxies log for it."""
    return Response(status=499)


def render_http(error: HTTPException) -> Response:
    """What Werkzeug refuses by itself: unknown paths, wrong methods, oversized or unreadable requests."""
    if error.response is not None or (error.code or 500) < 400:
        return error.get_response()  # type: ignore[return-value]
    response = render(_api_error(error))
    # Where nothing is served no view has asked whose key it is.
    return _of_known_key(response) if request.routing_exception is not None else response


def _of_known_key(response: Response) -> Response:
    """The same with what every answer to an accepted key has, when the request has one. It counts as one that reads."""
    if not request.path.startswith(PREFIXES):
        return response
    try:
        auth.authenticate()
        rate_limits.check_read()
    except RateLimited as error:
        response = render(error)
    except ApiError:
        g.pop("caller", None)
        return response
    return refusals.note(rate_limits.apply(responses.mark_mode(response)))


def _api_error(error: HTTPException) -> ApiError:
    if isinstance(error, NoRoute):
        known = frozenset(rule.rule for rule in current_app.url_map.iter_rules() if rule.rule.startswith(PREFIXES))
        meant = _right_path(request.path, known)
        hint = f" Use {meant}." if meant else ""
        return NotFound(f"There is nothing at {request.method} {request.path[:200]}.{hint}")
    if isinstance(error, MethodNotAllowed):
        allow = ", ".join(sorted(error.valid_methods or ()))
        if request.headers.get("Upgrade", "").lower() == "websocket":
            # Agents try a websocket first: after 426 they use HTTP at once, after 405 they try again and again.
            return UpgradeRefused(
                f"Websockets are not served here. Send {request.path} as HTTP with {allow}.",
                headers=(("Allow", allow),),
            )
        return MethodRefused(f"{request.path} takes {allow}, not {request.method}.", headers=(("Allow", allow),))
    if isinstance(error, RequestEntityTooLarge):
        return BodyTooLarge("The request is too large.")
    if (error.code or 500) < 500:
        return InvalidRequest(error.description or "The request is not valid.")
    return InternalError(_sentence())


def render_unexpected(_: Exception) -> Response:
    log.exception("unexpected failure at %s %s", request.method, request.path)
    return render(InternalError(_sentence()))


def _sentence() -> str:
    return f"Something broke on our side. It is in our logs under {g.get('request_id', 'its time')}."


def _right_path(path: str, known: frozenset[str]) -> str | None:
    """The path of ours that `path` was meant for: without /v1, with /v1 twice or beside Ollama's /api, with a slash at
    its end."""
    plain = "/" + path.strip("/")
    if plain.startswith("/api/v1/"):
        plain = plain.removeprefix("/api")
    while plain.startswith("/v1/"):
        plain = plain.removeprefix("/v1")
    meant = plain if plain in known else f"/v1{plain}"
    return meant if meant in known and meant != path else None
