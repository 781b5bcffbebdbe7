"""What a row about a request field says, and how a request is read by its rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ...catalog import Catalog, Model
from ...errors import InvalidRequest
from ..json_body import missing, wrong_type
from .types import Kind

# "accepted" acts on no answer but is kept with the usage of the request; "no effect" is checked, and then named in
# `x-llmrack-ignored`; "no" is a 400.
Status = Literal["required", "yes", "1 only", "accepted", "no effect", "no"]


@dataclass(frozen=True)
class Good:
    """A value that is taken. `beside` are the other fields it needs, `sends` what must be in Ollama's body then."""

    value: Any
    sends: dict[str, Any] = field(default_factory=dict)
    beside: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Bad:
    """A value that is refused with a 400 whose `param` is this one; "=" stands for the field's own name."""

    value: Any
    param: str = "="
    beside: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Field:
    """One request field: what it takes, what becomes of it, and the examples that prove both.

    `option` is the name under which the value goes into Ollama's `options` as it stands. `notes` is Markdown.
    `default` is what an absent field means, in words.
    """

    name: str
    status: Status
    kind: Kind
    notes: str
    good: tuple[Good, ...]
    bad: tuple[Bad, ...] = ()
    option: str | None = None
    default: str = ""

    @property
    def is_required(self) -> bool:
        return self.status == "required"

    @property
    def is_without_effect(self) -> bool:
        return self.status == "no effect"


Rows = dict[str, Field]


def rows(*fields: Field) -> Rows:
    return {row.name: row for row in fields}


def read(rows: Rows, body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The checked values of the fields present, and the names of those without effect, declared by a row or by none.

    An explicit null is the same as an absent field. Raises InvalidRequest.
    """
    values: dict[str, Any] = {}
    ignored: list[str] = []
    for name, value in body.items():
        row = rows.get(name)
        if row is None:
            ignored.append(name)
        elif value is not None:
            values[name] = row.kind.read(value, name)
            if row.is_without_effect:
                ignored.append(name)
    for name, row in rows.items():
        if row.is_required and name not in values:
            raise missing(name)
    return values, ignored


def options(rows: Rows, values: dict[str, Any]) -> dict[str, Any]:
    """The values that go into Ollama's `options` as they are."""
    return {row.option: values[name] for name, row in rows.items() if row.option and name in values}


def model(body: dict[str, Any], catalog: Catalog, *, embeds: bool) -> Model:
    """The model a request names, before anything else about it is looked at. Raises InvalidRequest."""
    name = body.get("model")
    if name is None:
        raise missing("model")
    if not isinstance(name, str):
        raise wrong_type("model", "a string", name)
    found = catalog.get(name) or catalog.by_alias(name)
    if found is None:
        raise InvalidRequest(_unknown(name, catalog), param="model", code="model_not_found")
    if found.is_embedding and not embeds:
        raise InvalidRequest(f"{name} makes embeddings; send it to /v1/embeddings.", param="model")
    if embeds and not found.is_embedding:
        raise InvalidRequest(f"{name} makes no embeddings; /v1/models lists those that do.", param="model")
    return found


def _unknown(name: str, catalog: Catalog) -> str:
    plain = name.rpartition("/")[2]
    known = catalog.get(plain) or catalog.by_ollama_name(plain)
    if known:
        return f"Unknown model {name[:100]!r}. Use the plain id {known.id!r}."
    return f"Unknown model {name[:100]!r}. GET /v1/models lists the ids."
