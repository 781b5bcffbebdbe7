"""Browsers on any site may call /v1 with a key: no cookies are involved, so no origin can act for a signed-in user."""

from flask import Response, request

from llmrack.wire.openapi.headers import HEADERS

EXPOSED = ", ".join(header.name for header in HEADERS)
EVERYONE = (("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", EXPOSED))


def allow(response: Response) -> None:
    """For every answer under /v1, also where nothing is served: a browser would hide the 404 that explains it."""
    headers = response.headers
    headers.extend(EVERYONE)
    if request.method == "OPTIONS":
        headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "GET, POST, OPTIONS")
        headers["Access-Control-Allow-Headers"] = request.headers.get(
            "Access-Control-Request-Headers", "Authorization, Content-Type, x-api-key, api-key"
        )
        headers["Access-Control-Max-Age"] = "86400"
