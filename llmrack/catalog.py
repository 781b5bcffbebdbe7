"""The models on offer, read from `data/models.toml` and the operator's `instance/models.toml`.

A wrong entry raises `BadCatalog` naming the file and the line, so that a server never starts with half a catalogue.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

CATEGORIES = ("General", "Code", "Reasoning", "Vision", "Embeddings")
CAPABILITIES = ("tools", "json", "vision", "embeddings", "reasoning", "insert")
DATA = Path(__file__).parent / "data" / "models.toml"


class BadCatalog(ValueError):
    """A catalogue the server cannot start with; the message names file, line, model and what is wrong."""


@dataclass(frozen=True)
class Model:
    """One model on offer.

    `context_tokens` is what the model was built for, `num_ctx` the window this server gives it; prices are integer
    nano-dollars per token (0.04 dollars per million tokens is 40).
    """

    id: str
    ollama: str
    name: str
    family: str
    parameters: str
    quantization: str
    context_tokens: int
    num_ctx: int
    category: str
    capabilities: tuple[str, ...]
    input_nanousd: int
    output_nanousd: int
    description: str = ""
    dimensions: int = 0
    created: int = 0
    enabled: bool = True

    def can(self, capability: str) -> bool:
        return capability in self.capabilities

    @property
    def is_embedding(self) -> bool:
        return "embeddings" in self.capabilities

    @property
    def max_output_tokens(self) -> int:
        """The most one answer can have: the window in force, of which the prompt takes its part."""
        return 0 if self.is_embedding else self.num_ctx


class Catalog:
    """The enabled models by id, in the order of the files."""

    def __init__(self, models: tuple[Model, ...]) -> None:
        self.all = models
        self._enabled = {model.id: model for model in models if model.enabled}

    def __iter__(self) -> Iterator[Model]:
        return iter(self._enabled.values())

    def get(self, model_id: str) -> Model | None:
        """The enabled model with exactly this id."""
        return self._enabled.get(model_id)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._enabled)


def load(*paths: Path) -> Catalog:
    """The catalogue of the shipped file, then each of `paths` that exists: a known id overrides key by key."""
    entries: dict[str, dict[str, Any]] = {}
    for path in (DATA, *paths):
        if path == DATA or path.exists():
            _merge(entries, path)
    return Catalog(tuple(model for model, _ in (_model(id_, entry) for id_, entry in entries.items())))


def _merge(entries: dict[str, dict[str, Any]], path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    try:
        tables = tomllib.loads(text).get("models", {})
    except tomllib.TOMLDecodeError as exc:
        raise BadCatalog(f"{path}: {exc}") from exc
    for id_, table in tables.items():
        if not isinstance(table, dict):
            raise BadCatalog(f"{path}: models.{id_} must be a table")
        where = {key: f"{path}, line {_line(text, id_, key)}" for key in table}
        known = entries.setdefault(id_, {"_where": {}, "_path": f"{path}, line {_line(text, id_, None)}"})
        known["_where"] |= where
        known |= table


def _line(text: str, id_: str, key: str | None) -> int:
    """The line of `key` in the table of model `id_` (of the table itself when key is None), counted from 1."""
    header = re.compile(rf'\[models\.["\']?{re.escape(id_)}["\']?\]')
    inside = 0
    for number, line in enumerate(text.splitlines(), 1):
        if header.match(line.strip()):
            inside = number
            if key is None:
                return number
        elif inside and line.lstrip().startswith("["):
            break
        elif inside and key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return inside or 1


_TYPES: Mapping[str, type] = {"int": int, "str": str, "bool": bool, "tuple[str, ...]": list}
_PRICES = {"input_nanousd": "input_usd_per_million", "output_nanousd": "output_usd_per_million"}


def _model(id_: str, entry: dict[str, Any]) -> tuple[Model, str]:
    where, path = entry.pop("_where"), entry.pop("_path")
    values: dict[str, Any] = {"id": id_}
    for field in fields(Model):
        if field.name == "id":
            continue
        key = _PRICES.get(field.name, field.name)
        if key in entry:
            values[field.name] = _value(id_, key, entry.pop(key), str(field.type), where[key])
        elif field.default is MISSING:
            raise BadCatalog(f"{path}: model {id_} has no {key}")
    for key in entry:
        raise BadCatalog(f"{where[key]}: model {id_} has an unknown key {key}")
    model = Model(**values)
    _check(model, where, path)
    return model, path


def _value(id_: str, key: str, value: Any, kind: str, where: str) -> Any:
    if key in _PRICES.values():
        return _nanousd_per_token(id_, key, value, where)
    if type(value) is not _TYPES[kind]:
        raise BadCatalog(f"{where}: {key} of model {id_} must be of type {_TYPES[kind].__name__}")
    return tuple(value) if kind.startswith("tuple") else value


def _nanousd_per_token(id_: str, key: str, value: Any, where: str) -> int:
    try:
        nanousd = Decimal(value) * 1000 if isinstance(value, str) else Decimal("NaN")
    except InvalidOperation:
        nanousd = Decimal("NaN")
    if not nanousd.is_finite() or nanousd < 0 or nanousd != int(nanousd):
        raise BadCatalog(f'{where}: {key} of model {id_} must be dollars as text with up to 3 decimals, such as "0.04"')
    return int(nanousd)


def _check(model: Model, where: dict[str, str], path: str) -> None:
    for key, ok, rule in (
        ("id", bool(re.fullmatch(r"[a-z0-9][a-z0-9._-]*", model.id)), "must be lower-case letters, digits, . _ -"),
        ("ollama", not _is_cloud(model.ollama), "must not name a cloud model: it would leave this machine"),
        ("ollama", bool(model.ollama), "must name Ollama's tag"),
        ("category", model.category in CATEGORIES, f"must be one of {', '.join(CATEGORIES)}"),
        ("capabilities", set(model.capabilities) <= set(CAPABILITIES), f"may hold {', '.join(CAPABILITIES)}"),
        ("num_ctx", 0 < model.num_ctx <= model.context_tokens, "must be between 1 and context_tokens"),
        ("dimensions", bool(model.dimensions) == model.is_embedding, "goes with the embeddings capability"),
    ):
        if not ok:
            raise BadCatalog(f"{where.get(key, path)}: {key} of model {model.id} {rule}")


def _is_cloud(tag: str) -> bool:
    """Whether Ollama would send this name to ollama.com (internal/modelref: a last suffix `cloud`)."""
    return tag.rpartition(":")[2].lower().split("-")[-1] == "cloud"
