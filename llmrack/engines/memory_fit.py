"""Windows that fit the memory of a machine: weights and the cache of keys and values, which a loaded model holds whole.

One model in memory at a time and one request at a time in it, as Ollama does without other settings on a small machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..catalog import Model

# Windows that are proposed. A larger one takes memory that no client asks for.
STEPS = (4_096, 8_192, 16_384, 32_768, 65_536)
# The rest is for the system, this server, and the model server's own buffers.
USED_SHARE = 0.75
# A cache of 16-bit numbers, which Ollama keeps unless OLLAMA_KV_CACHE_TYPE says otherwise.
BYTES_PER_NUMBER = 2
# Limits of a container: version 2 of control groups, then version 1. Absent or "max" means none.
_LIMIT_FILES = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True)
class Fit:
    """A model, the largest window that fits, and what that takes in bytes; `window` is 0 where none fits."""

    model: Model
    window: int
    bytes: int
    needed_bytes: int

    @property
    def is_too_large(self) -> bool:
        """Whether the window in force does not fit."""
        return self.window < self.model.num_ctx


def memory_bytes(limits: Iterable[Path] = _LIMIT_FILES) -> int:
    """The memory of this machine, or of the container this runs in."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in limits:
        try:
            found = min(found, int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue
    return found


def cache_bytes_per_token(info: Mapping[str, Any]) -> int | None:
    """What one token of a window takes, from `model_info` of Ollama's /api/show; None where that does not tell.

    Each layer keeps a key and a value for each of its heads. Ollama's own estimate, GraphSize in its fs/ggml/ggml.go:
    context * (head size of keys + head size of values) * heads for keys and values * bytes per number, for each layer.
    """
    name = info.get("general.architecture")

    def number(key: str) -> int:
        value = info.get(f"{name}.{key}")
        return value if isinstance(value, int) else 0

    layers, heads = number("block_count"), number("attention.head_count")
    each = info.get(f"{name}.attention.head_count_kv")
    of_all_layers = sum(each) if isinstance(each, list) else layers * number("attention.head_count_kv")
    size = number("embedding_length") // heads if heads else 0
    keys, values = number("attention.key_length") or size, number("attention.value_length") or size
    return of_all_layers * (keys + values) * BYTES_PER_NUMBER or None


def fit(model: Model, weights_bytes: int, per_token: int, memory: int) -> Fit:
    """The largest of `STEPS` and the window in force that fits, within what the model was built for."""
    room = int(memory * USED_SHARE) - weights_bytes
    steps = sorted({step for step in (*STEPS, model.num_ctx) if step <= model.context_tokens})
    window = max((step for step in steps if step * per_token <= room), default=0)
    return Fit(model, window, weights_bytes + window * per_token, weights_bytes + model.num_ctx * per_token)


def line(model_id: str, window: int) -> str:
    """One line of instance/models.toml; it must stand above the first table of the file."""
    return f'models."{model_id}".num_ctx = {window}'
