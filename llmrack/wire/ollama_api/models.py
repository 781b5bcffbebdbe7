"""GET /api/tags and /api/ps, POST /api/show: the catalogue as Ollama describes models."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from ...catalog import Catalog, Model
from .. import json_body
from . import names
from .names import Allowed

# The release of Ollama whose API is followed here. Clients compare it with the first that had what they use.
API_VERSION = "0.33.0"
_CAPABILITIES = {"tools": "tools", "vision": "vision", "reasoning": "thinking", "insert": "insert"}


def listing(models: Iterable[Model], catalog: Catalog, allowed: Allowed) -> dict[str, Any]:
    return {"models": [_entry(model, names.shown(model, catalog, allowed)) for model in models]}


def running(models: Iterable[Model], catalog: Catalog, allowed: Allowed, until: datetime) -> dict[str, Any]:
    """Those in memory. How long they stay is the model server's affair, so `until` is as far as is known."""
    entries = []
    for model in models:
        entry = _entry(model, names.shown(model, catalog, allowed))
        del entry["modified_at"], entry["capabilities"]
        entries.append({**entry, "expires_at": _time(until), "size_vram": 0, "context_length": model.num_ctx})
    return {"models": entries}


def asked(raw: bytes, catalog: Catalog, allowed: Allowed) -> Model:
    """The model in a body of /api/show. Raises InvalidRequest, NotFound."""
    body, _ = json_body.decode(raw)
    return names.named(body, catalog, allowed, old_name=True)[1]


def description(model: Model) -> dict[str, Any]:
    """Clients read the window from here, so it is the one in force and not the one the model was built for."""
    info: dict[str, Any] = {
        "general.architecture": model.family,
        "general.basename": model.name,
        f"{model.family}.context_length": model.num_ctx,
    }
    if model.is_embedding:
        info[f"{model.family}.embedding_length"] = model.dimensions
    return {
        "license": "",
        "modelfile": f"FROM {model.ollama}\nPARAMETER num_ctx {model.num_ctx}\n",
        "parameters": f"num_ctx                        {model.num_ctx}",
        "template": "",
        "details": _details(model),
        "model_info": info,
        "capabilities": _capabilities(model),
        "modified_at": _time(datetime.fromtimestamp(model.created, UTC)),
    }


def _entry(model: Model, name: str) -> dict[str, Any]:
    """The files are the model server's, so their size is not told. The digest is of what the catalogue says, and
    changes with that: clients cut it and compare it."""
    facts = "\n".join((model.ollama, model.family, model.parameters, model.quantization, str(model.num_ctx)))
    return {
        "name": name,
        "model": name,
        "modified_at": _time(datetime.fromtimestamp(model.created, UTC)),
        "size": 0,
        "digest": hashlib.sha256(facts.encode()).hexdigest(),
        "details": _details(model),
        "capabilities": _capabilities(model),
    }


def _details(model: Model) -> dict[str, Any]:
    details: dict[str, Any] = {
        "parent_model": "",
        "format": "gguf",
        "family": model.family,
        "families": [model.family],
        "parameter_size": model.parameters,
        "quantization_level": model.quantization,
        "context_length": model.num_ctx,
    }
    if model.is_embedding:
        details["embedding_length"] = model.dimensions
    return details


def _capabilities(model: Model) -> list[str]:
    if model.is_embedding:
        return ["embedding"]
    return ["completion", *(ours for theirs, ours in _CAPABILITIES.items() if model.can(theirs))]


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
