"""The request fields of every endpoint. These rows check requests, fill the documentation's tables and
`openapi.json`, and carry the examples that the contract tests replay."""

from __future__ import annotations

from .chat import CHAT, TOOL
from .completions import COMPLETIONS
from .embeddings import EMBEDDINGS
from .messages import MESSAGES
from .ollama import OLLAMA_CHAT, OLLAMA_EMBED, OLLAMA_EMBEDDINGS, OLLAMA_GENERATE, OLLAMA_OPTIONS
from .responses import RESPONSES
from .rows import Rows

__all__ = [
    "CHAT",
    "COMPLETIONS",
    "EMBEDDINGS",
    "ENDPOINTS",
    "MESSAGES",
    "OLLAMA",
    "OLLAMA_CHAT",
    "OLLAMA_EMBED",
    "OLLAMA_EMBEDDINGS",
    "OLLAMA_GENERATE",
    "OLLAMA_OPTIONS",
    "RESPONSES",
    "TOOL",
    "field_rows",
]

ENDPOINTS: dict[str, Rows] = {
    "chat": CHAT,
    "responses": RESPONSES,
    "messages": MESSAGES,
    "completions": COMPLETIONS,
    "embeddings": EMBEDDINGS,
}
# Of Ollama's own API, which `openapi.json` does not describe.
OLLAMA: dict[str, Rows] = {
    "ollama-chat": OLLAMA_CHAT,
    "ollama-generate": OLLAMA_GENERATE,
    "ollama-options": OLLAMA_OPTIONS,
    "ollama-embed": OLLAMA_EMBED,
    "ollama-embeddings": OLLAMA_EMBEDDINGS,
}


def field_rows(endpoint: str) -> list[tuple[str, str, str]]:
    """(field, status, notes in Markdown) for the table of "chat", "responses", "completions" or "embeddings"."""
    return [(row.name, row.status, row.notes) for row in ENDPOINTS[endpoint].values()]
