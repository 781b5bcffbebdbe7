"""The models on offer, read from `data/models.toml` and the operator's `instance/models.toml`.

A wrong entry raises `BadCatalog` naming the file and the line, so that a server never starts with half a catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import datafile, money
from .errors import CannotStart

CATEGORIES = ("General", "Code", "Reasoning", "Vision", "Embeddings")
CAPABILITIES = ("tools", "json", "vision", "embeddings", "reasoning", "insert")
DATA = Path(__file__).parent / "data" / "models.toml"


class BadCatalog(CannotStart):
    """A catalogue the server cannot start with; the message names file, line, model and what is wrong."""


@dataclass(frozen=True)
class Model:
    """One model on offer.

    `context_tokens` is what the model was built for, `num_ctx` the window this server gives it; prices are integer
    nano-dollars per token (0.04 dollars per million tokens is 40). `aliases` are other names that requests may use; one
    that ends in `*` stands for every name that begins so.
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
    aliases: tuple[str, ...] = ()
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


def full_tag(name: str) -> str:
    """Ollama's name of a model with its tag, in lower case: Ollama reads a name without one as `:latest`."""
    name = name.lower()
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


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

    def by_alias(self, name: str) -> Model | None:
        """The enabled model with this other name: one that is spelled out comes before the longest beginning."""
        found = [(len(alias), model) for model in self for alias in model.aliases if _is_named(alias, name)]
        return max(found, key=lambda one: one[0], default=(0, None))[1]

    def by_ollama_name(self, name: str) -> Model | None:
        """The first enabled model that Ollama knows by this name."""
        tag = full_tag(name)
        return next((model for model in self if full_tag(model.ollama) == tag), None)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._enabled)


def _is_named(alias: str, name: str) -> bool:
    return name.startswith(alias[:-1]) if alias.endswith("*") else name == alias


def load(*paths: Path) -> Catalog:
    """The catalogue of the shipped file, then each of `paths` that exists: a known id overrides key by key."""
    entries = datafile.read("models", "model", BadCatalog, DATA, *paths)
    models = tuple(_model(entry) for entry in entries)
    taken = {model.id for model in models}
    for entry, model in zip(entries, models, strict=True):
        for alias in model.aliases:
            entry.check(("aliases", alias not in taken, f"holds {alias}, which already names a model"))
            taken.add(alias)
    return Catalog(models)


_PRICES: datafile.Conversions = {
    "input_nanousd": ("input_usd_per_million", money.nanousd_per_token),
    "output_nanousd": ("output_usd_per_million", money.nanousd_per_token),
}


def _model(entry: datafile.Entry) -> Model:
    model = datafile.build(Model, entry, _PRICES)
    entry.check(
        ("id", bool(re.fullmatch(r"[a-z0-9][a-z0-9._-]*", model.id)), "must be lower-case letters, digits, . _ -"),
        ("ollama", not _is_cloud(model.ollama), "must not name a cloud model: it would leave this machine"),
        ("ollama", bool(model.ollama), "must name Ollama's tag"),
        ("category", model.category in CATEGORIES, f"must be one of {', '.join(CATEGORIES)}"),
        ("capabilities", set(model.capabilities) <= set(CAPABILITIES), f"may hold {', '.join(CAPABILITIES)}"),
        ("num_ctx", 0 < model.num_ctx <= model.context_tokens, "must be between 1 and context_tokens"),
        (
            "aliases",
            all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/-]*\*?", alias) for alias in model.aliases),
            "must be names of letters, digits, . _ - : / which may end in *",
        ),
        ("dimensions", bool(model.dimensions) == model.is_embedding, "goes with the embeddings capability"),
    )
    return model


def _is_cloud(tag: str) -> bool:
    """Whether Ollama would send this name to ollama.com (internal/modelref: a last suffix `cloud`)."""
    return tag.rpartition(":")[2].lower().split("-")[-1] == "cloud"
