"""Models by the names of Ollama's clients, and the refusals of chat's checks in those clients' words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from ...catalog import Catalog, Model, full_tag
from ...errors import ApiError, InvalidRequest, NotFound
from ..json_body import missing, wrong_type

Allowed = frozenset[str] | set[str] | tuple[str, ...] | None
Rules = tuple[tuple[re.Pattern[str], str], ...]


def envelope(error: ApiError) -> bytes:
    """An error as Ollama's clients read it: one sentence."""
    return msgspec.json.encode({"error": error.message})


def find(name: str, catalog: Catalog, allowed: Allowed = None) -> Model | None:
    """The model with this id, with or without `:latest`, or with this name in Ollama.

    Several models may run as one of Ollama's: the first that the key may use is meant, or else the first.
    """
    by_id = catalog.get(name) or catalog.by_alias(name) or catalog.get(name.lower().removesuffix(":latest"))
    if by_id is not None:
        return by_id
    tag = full_tag(name)
    named = [model for model in catalog if full_tag(model.ollama) == tag]
    mine = [model for model in named if allowed is None or model.id in allowed]
    return next(iter(mine or named), None)


def shown(model: Model, catalog: Catalog, allowed: Allowed = None) -> str:
    """The name to list a model under: Ollama's own, as far as it leads back to this model; else the id."""
    tag = full_tag(model.ollama)
    return tag if find(tag, catalog, allowed) == model else model.id


def named(body: dict[str, Any], catalog: Catalog, allowed: Allowed, *, old_name: bool = False) -> tuple[str, Model]:
    """The `model` of a request as it was written, and what it names. Raises InvalidRequest, NotFound.

    `old_name` also takes the older field `name`.
    """
    name = body.get("model")
    if name is None and old_name:
        name = body.get("name")
    if name is None or name == "":
        raise missing("model")
    if not isinstance(name, str):
        raise wrong_type("model", "a string", name)
    model = find(name, catalog, allowed)
    if model is None:
        raise NotFound(
            f"model {name[:100]!r} not found. GET /api/tags lists those there are.",
            param="model",
            code="model_not_found",
        )
    return name, model


def for_text(body: dict[str, Any], catalog: Catalog, allowed: Allowed) -> tuple[str, Model]:
    """As `named`, for a model that writes."""
    name, model = named(body, catalog, allowed)
    if model.is_embedding:
        raise InvalidRequest(f"{name} makes embeddings; send it to /api/embed.", param="model")
    return name, model


def for_vectors(body: dict[str, Any], catalog: Catalog, allowed: Allowed) -> tuple[str, Model]:
    """As `named`, for a model that makes embeddings."""
    name, model = named(body, catalog, allowed)
    if not model.is_embedding:
        raise InvalidRequest(f"{name} makes no embeddings; /api/tags lists those that do.", param="model")
    return name, model


CHAT: Rules = (
    # The images of a message stand before its text in the parts that chat reads.
    (re.compile(r"messages\[(\d+)\]\.content\[(\d+)\](?:\.image_url(?:\.url)?)?"), r"messages[\1].images[\2]"),
    (re.compile(r"response_format(?:\.json_schema\.schema)?"), "format"),
    (re.compile(r"reasoning_effort"), "think"),
)
GENERATE: Rules = (
    (re.compile(r"messages\[\d+\]\.content\[(\d+)\](?:\.image_url(?:\.url)?)?"), r"images[\1]"),
    (re.compile(r"messages(?:\[\d+\](?:\.content)?)?"), "prompt"),
    *CHAT[1:],
)
OLD_EMBEDDINGS: Rules = ((re.compile(r"\binput\b"), "prompt"),)


@contextmanager
def said_by(rules: Rules) -> Iterator[None]:
    """Refusals name the fields that the client sent, not those that they became."""
    try:
        yield
    except InvalidRequest as error:
        error.message = translated(error.message, rules)
        error.args = (error.message,)
        if error.param is not None:
            error.param = translated(error.param, rules)
        raise


def translated(text: str, rules: Rules) -> str:
    for pattern, name in rules:
        text = pattern.sub(name, text)
    return text
