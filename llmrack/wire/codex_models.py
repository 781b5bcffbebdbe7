"""`models` beside the list of GET /v1/models, which Codex reads: without it, it takes every window for one of 272,000
tokens and sends images to models that see none.

A key that is missing, or a value that Codex does not know, makes it drop the whole list.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..catalog import Model

# Below this, its tools alone leave no room for work.
LEAST_WINDOW = 16_384
# Codex's own text is 18 KB, a third of a usual window here.
_INSTRUCTIONS = (
    "You are a coding agent in a terminal. Read the files that matter before you change anything, make the smallest"
    " change that does what was asked, and check it by running it. Use the tools you have for reading, changing and"
    " running; never invent what a tool would say. Say in a few plain sentences what you did and what is left."
)
_EFFORTS = {"low": "Thinks little", "medium": "Thinks for a while", "high": "Thinks long"}


def listing(models: Iterable[Model]) -> list[dict[str, Any]]:
    """Only models that call tools in a window that has room for them."""
    able = [model for model in models if model.can("tools") and model.num_ctx >= LEAST_WINDOW]
    return [_one(model, priority) for priority, model in enumerate(able, 1)]


def _one(model: Model, priority: int) -> dict[str, Any]:
    reasons = model.can("reasoning")
    row: dict[str, Any] = {
        "slug": model.id,
        "display_name": model.name,
        "description": model.description,
        "context_window": model.num_ctx,
        "input_modalities": ["text", "image"] if model.can("vision") else ["text"],
        "supported_reasoning_levels": [
            {"effort": effort, "description": text} for effort, text in _EFFORTS.items() if reasons
        ],
        "shell_type": "default",
        "visibility": "list",
        "supported_in_api": True,
        "priority": priority,
        "support_verbosity": False,
        # What one output of a tool may take of the window.
        "truncation_policy": {"mode": "tokens", "limit": max(1000, model.num_ctx // 8)},
        "supports_parallel_tool_calls": True,
        "supports_reasoning_summaries": reasons,
        "apply_patch_tool_type": "freeform",
        "experimental_supported_tools": [],
        "base_instructions": _INSTRUCTIONS,
    }
    if reasons:
        row["default_reasoning_level"] = "medium"
    return row
