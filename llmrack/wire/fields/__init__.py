"""The request fields of every endpoint. These rows check requests, fill the documentation's tables and
`openapi.json`, and carry the examples that the contract tests replay."""

from __future__ import annotations

from .chat import CHAT, TOOL
from .completions import COMPLETIONS
from .embeddings import EMBEDDINGS
from .messages import MESSAGES
from .responses import RESPONSES
from .rows import Rows

__all__ = ["CHAT", "COMPLETIONS", "EMBEDDINGS", "ENDPOINTS", "MESSAGES", "RESPONSES", "TOOL", "field_rows"]

ENDPOINTS: dict[str, Rows] = {
    "chat": CHAT,
    "responses": RESPONSES,
    "messages": MESSAGES,
    "completions": COMPLETIONS,
    "embeddings": EMBEDDINGS,
}


def field_rows(endpoint: str) -> list[tuple[str, str, str]]:
    """(field, status, notes in Markdown) for the table of "chat", "responses", "completions" or "embeddings"."""
    return [(row.name, row.status, row.notes) for row in ENDPOINTS[endpoint].values()]
