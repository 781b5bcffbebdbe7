"""GET /v1/models: OpenAI's four fields, then what a client needs to choose a model and to stay inside its window."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..catalog import Model
from ..money import usd_per_million


def listing(models: Iterable[Model]) -> dict[str, Any]:
    return {"object": "list", "data": [one(model) for model in models]}


def one(model: Model) -> dict[str, Any]:
    """`context_length` is the window in force, which is what counts; `context_window` what the model was built for."""
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": "llmrack",
        "name": model.name,
        "description": model.description,
        "family": model.family,
        "parameters": model.parameters,
        "quantization": model.quantization,
        "category": model.category,
        "capabilities": list(model.capabilities),
        "context_length": model.num_ctx,
        "context_window": model.context_tokens,
        "max_output_tokens": model.max_output_tokens,
        "dimensions": model.dimensions or None,
        "pricing": {
            "currency": "USD",
            "input_per_million": usd_per_million(model.input_nanousd),
            "output_per_million": usd_per_million(model.output_nanousd),
            "input_nanousd_per_token": model.input_nanousd,
            "output_nanousd_per_token": model.output_nanousd,
        },
    }
