"""Response headers of the whole application, and the id every request carries through logs and answers."""

from __future__ import annotations

import os
import time

from flask import Flask, Response, g, request

from llmrack import logs
from llmrack.monitoring import requests as request_figures

from ..extensions import loaded_context
from . import cors

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

# Pages use none of these; copying a key or an answer needs the clipboard, which stays.
PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"

# A year, in which browsers that came by https come by nothing else.
HSTS_S = 31_536_000


def init_app(app: Flask) -> None:
    app.before_request(name_request)
    app.after_request(harden)


def name_request() -> None:
    """A fresh id. The client's own is never taken over: two requests must not share one.

    48 bits of milliseconds come before 80 random ones, as in a UUIDv7: rows of the same time then lie beside each other
    in the database, which writes a third less for requests that come together.
    """
    g.request_id = request_id = f"req_{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"
    logs.request_id.set(request_id)


def harden(response: Response) -> Response:
    if (figures := loaded_context().figures) is not None:
        request_figures.answered(
            figures, request.url_rule.rule if request.url_rule else "none", request.method, response.status_code
        )
    headers = response.headers
    headers.extend((("x-request-id", g.request_id), ("X-Content-Type-Options", "nosniff")))
    if request.path.startswith(("/v1", "/api/")):
        cors.allow(response)
    else:
        headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        if request.is_secure:
            headers.setdefault("Strict-Transport-Security", f"max-age={HSTS_S}")
    return response
