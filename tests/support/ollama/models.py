"""The models the server has, what it says about them, and which of them are in memory with which options."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass, field
from typing import Any

MODIFIED_AT = "2026-08-01T00:00:00.123456789Z"
# A change of any of these makes the real server unload the model and load it again (server/sched.go, needsReload).
LOAD_TIME_OPTIONS = ("num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict")
NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.\-/]*(:[A-Za-z0-9_][A-Za-z0-9_.\-]*)?$")


@dataclass
class Model:
    name: str
    family: str
    parameters: str
    context: int
    width: int
    capabilities: list[str]
    size: int = 4_000_000_000
    quantization: str = "Q4_K_M"
    # Layers, heads, and heads for keys and values.
    layout: tuple[int, int, int] = (32, 32, 8)

    def details(self) -> dict[str, Any]:
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": self.parameters,
            "quantization_level": self.quantization,
        }

    def digest(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()

    def listed(self) -> dict[str, Any]:
        more = {"context_length": self.context, "embedding_length": self.width}
        return {
            "name": self.name,
            "model": self.name,
            "modified_at": MODIFIED_AT,
            "size": self.size,
            "digest": self.digest(),
            "details": self.details() | more,
            "capabilities": self.capabilities,
        }

    def shown(self) -> dict[str, Any]:
        return {
            "license": "made up",
            "modelfile": f"FROM {self.name}\n",
            "parameters": 'stop                           "<|end|>"',
            "template": "{{ .Prompt }}",
            "details": self.details(),
            "model_info": {
                "general.architecture": self.family,
                "general.parameter_count": 1_000_000,
                f"{self.family}.context_length": self.context,
                f"{self.family}.embedding_length": self.width,
                f"{self.family}.block_count": self.layout[0],
                f"{self.family}.attention.head_count": self.layout[1],
                f"{self.family}.attention.head_count_kv": self.layout[2],
            },
            "capabilities": self.capabilities,
            "modified_at": MODIFIED_AT,
        }


def library() -> dict[str, Model]:
    """What is installed from the start: the catalogue's five, one that thinks, one that sees, one that inserts."""
    rows = [
        Model("phi3:mini", "phi3", "3.8B", 131072, 3072, ["completion"], 2_176_178_913, layout=(32, 32, 32)),
        Model("mistral:7b", "mistral", "7.2B", 32768, 4096, ["completion", "tools"], 4_372_824_384),
        Model("llama3.1:8b", "llama", "8.0B", 131072, 4096, ["completion", "tools"], 4_920_753_328),
        Model("qwen2.5:7b", "qwen2", "7.6B", 32768, 3584, ["completion", "tools"], 4_683_087_332, layout=(28, 28, 4)),
        Model("nomic-embed-text:latest", "nomic-bert", "137M", 2048, 768, ["embedding"], 274_302_450, "F16"),
        Model("qwen3:4b", "qwen3", "4.0B", 262144, 2560, ["completion", "tools", "thinking"], 2_497_293_931),
        Model("gemma3:4b", "gemma3", "4.3B", 131072, 2560, ["completion", "vision"], 3_338_801_804),
        Model("qwen2.5-coder:7b", "qwen2", "7.6B", 32768, 3584, ["completion", "tools", "insert"], 4_683_087_561),
    ]
    return {row.name: row for row in rows}


@dataclass
class Loaded:
    model: Model
    options: tuple[Any, ...]
    context: int
    expires_at: float


@dataclass
class Shelf:
    """Installed models, and those in memory. `loads` counts every load, `reloads` those that replaced other options."""

    installed: dict[str, Model] = field(default_factory=library)
    loaded: dict[str, Loaded] = field(default_factory=dict)
    default_context: int = 4096
    loads: int = 0
    reloads: int = 0

    def find(self, name: str) -> Model | None:
        full = name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"
        return next((m for key, m in self.installed.items() if key.lower() == full.lower()), None)

    def load(self, model: Model, options: dict[str, Any], shift: bool | None, keep_alive_s: float | None) -> Loaded:
        """Bring a model into memory, again when the load-time options differ from those in force."""
        wanted = tuple(options.get(name) for name in LOAD_TIME_OPTIONS) + (shift is not False,)
        there = self.loaded.get(model.name)
        if there is None or there.options != wanted:
            self.loads += 1
            self.reloads += there is not None
            context = max(4, min(int(options.get("num_ctx") or self.default_context), model.context))
            there = self.loaded[model.name] = Loaded(model, wanted, context, 0.0)
        seconds = 300.0 if keep_alive_s is None else keep_alive_s
        there.expires_at = time.time() + (seconds if seconds >= 0 else 9e9)
        return there

    def needs_load(self, model: Model, options: dict[str, Any], shift: bool | None) -> bool:
        there = self.loaded.get(model.name)
        wanted = tuple(options.get(name) for name in LOAD_TIME_OPTIONS) + (shift is not False,)
        return there is None or there.options != wanted

    def in_memory(self) -> list[dict[str, Any]]:
        now = time.time()
        self.loaded = {name: row for name, row in self.loaded.items() if row.expires_at > now}
        return [
            {
                "name": row.model.name,
                "model": row.model.name,
                "size": row.model.size,
                "digest": row.model.digest(),
                "details": row.model.details(),
                "expires_at": _rfc3339(min(row.expires_at, 4e9)),
                "size_vram": row.model.size,
                "context_length": row.context,
            }
            for row in self.loaded.values()
        ]


def _rfc3339(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + ".123456789Z"
