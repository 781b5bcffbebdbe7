"""POST /api/embed and its older form /api/embeddings: one vector for each text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...catalog import Catalog, Model
from .. import embeddings, fields, json_body, sse
from ..embeddings import EmbeddingRequest
from ..fields import rows
from ..ollama import EmbedReply
from ..parsed import header_names
from . import names
from .names import Allowed


@dataclass
class OllamaEmbedding(EmbeddingRequest):
    """A checked request; `is_single` is the older form, which has one text and no counts."""

    endpoint: str = "ollama_embed"
    name: str = ""
    is_single: bool = False

    def answer(self, reply: EmbedReply) -> bytes:
        self.require_vectors(reply)
        if self.is_single:
            return sse.encode({"embedding": reply.embeddings[0]})
        return sse.encode(
            {
                "model": self.name,
                "embeddings": reply.embeddings,
                "total_duration": reply.total_duration or 0,
                "load_duration": reply.load_duration or 0,
                "prompt_eval_count": self.usage(reply).prompt_tokens,
            }
        )


@dataclass
class NoVectors:
    """The answer to no text, by which Ollama's clients load a model."""

    model: Model
    name: str
    ignored: tuple[str, ...]
    replaced: tuple[str, ...]
    is_single: bool

    def answer(self) -> bytes:
        return sse.encode({"embedding": []} if self.is_single else {"model": self.name, "embeddings": []})


def parse(raw: bytes, catalog: Catalog, allowed: Allowed = None) -> OllamaEmbedding | NoVectors:
    """The request in a body of /api/embed. Raises InvalidRequest, NotFound."""
    return _parse(raw, catalog, allowed, fields.OLLAMA_EMBED, "input")


def parse_single(raw: bytes, catalog: Catalog, allowed: Allowed = None) -> OllamaEmbedding | NoVectors:
    """The request in a body of /api/embeddings. Raises InvalidRequest, NotFound."""
    return _parse(raw, catalog, allowed, fields.OLLAMA_EMBEDDINGS, "prompt")


def _parse(raw: bytes, catalog: Catalog, allowed: Allowed, known: rows.Rows, param: str) -> OllamaEmbedding | NoVectors:
    body, replaced = json_body.decode(raw)
    name, model = names.for_vectors(body, catalog, allowed)
    is_single = param == "prompt"
    is_empty = body.get(param) is None or body[param] in ("", [])
    # A text in place of none: the other fields are checked all the same.
    values, ignored = rows.read(known, {**body, param: "none"} if is_empty else body)
    ignored_names, replaced_names = header_names(ignored), header_names(replaced)
    if is_empty:
        return NoVectors(model, name, ignored_names, replaced_names, is_single)
    asked: dict[str, Any] = {"model": model.id, "input": values[param]}
    if "dimensions" in values:
        asked["dimensions"] = values["dimensions"]
    with names.said_by(names.OLD_EMBEDDINGS if is_single else ()):
        ask = embeddings.read(
            OllamaEmbedding, asked, catalog, replaced, prompt_param=param, name=name, is_single=is_single
        )
    ask.ignored = ignored_names
    return ask
