"""Endpoints that clients of other APIs call: each answers with what to use here.

400 and not 404: an agent that gets 404 blames the model's name, and one that gets a 5xx repeats the request.
"""

from __future__ import annotations

from flask import Blueprint, Response

from llmrack.errors import InvalidRequest

bp = Blueprint("elsewhere", __name__)


@bp.post("/messages")
@bp.post("/messages/count_tokens")
def refuse() -> Response:
    """Raises InvalidRequest, once the key is known to be good."""
    raise InvalidRequest(
        "This API is not served here. Use POST /v1/chat/completions: set the client to OpenAI's Chat Completions API.",
        code="unsupported_endpoint",
    )


# Addresses of Ollama's API, which tools without a setting for the API's kind call.
OLLAMA_PATHS = {
    "/api/chat": "/v1/chat/completions",
    "/api/generate": "/v1/completions",
    "/api/embed": "/v1/embeddings",
    "/api/embeddings": "/v1/embeddings",
    "/api/tags": "/v1/models",
}


def right_path(path: str, known: frozenset[str]) -> str | None:
    """The path of ours that `path` was meant for: without /v1, with /v1 twice, with a slash at its end, or Ollama's."""
    plain = "/" + path.strip("/")
    while plain.startswith("/v1/"):
        plain = plain.removeprefix("/v1")
    meant = OLLAMA_PATHS.get(plain, f"/v1{plain}")
    return meant if meant in known and meant != path else None
