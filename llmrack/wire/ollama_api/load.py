"""The request without a question, by which clients load a model: here every model is ready when it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...catalog import Model
from .. import sse
from .answers import head


@dataclass
class Load:
    """Answered at once, without a model and without a receipt. `said` is what its answer holds."""

    model: Model
    name: str
    ignored: tuple[str, ...]
    replaced: tuple[str, ...]
    said: dict[str, Any]

    def answer(self) -> bytes:
        return sse.encode({**head(self.name), **self.said, "done": True, "done_reason": "load"})
