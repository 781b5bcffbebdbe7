"""The prompts whose answers are written down, from `llmrack/data/sandbox.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import tokens
from .questions import Question

PROMPTS = Path(__file__).parents[2] / "data" / "sandbox.toml"
# Longer than any known prompt; nothing else is worth folding and comparing.
_MAX_PROMPT = 300


@dataclass(frozen=True)
class Known:
    """A prompt whose answer, or whose count, is written down. Without `pieces` a tool answers it."""

    pieces: tuple[str, ...]
    tool: str | None
    prompt_tokens: int | None


class KnownPrompts:
    def __init__(self, path: Path = PROMPTS) -> None:
        rows = tomllib.loads(path.read_text(encoding="utf-8"))["prompt"]
        self._known = {_folded(ask): _known(row) for row in rows for ask in row["ask"]}

    def find(self, question: Question) -> Known | None:
        """The row for this question; one that names a tool holds only where that tool is given."""
        known = self._known.get(_folded(question.text))
        if known is None or known.tool is None:
            return known
        return known if any(tool.get("name") == known.tool for tool in question.tools) else None


def _known(row: dict[str, Any]) -> Known:
    answer = row.get("answer", "").strip()
    pieces = tuple(row.get("pieces") or tokens.pieces(answer))
    if "".join(pieces) != answer:
        raise ValueError(f"the pieces of {row['ask'][0]!r} do not join to its answer")
    return Known(pieces, row.get("tool"), row.get("prompt_tokens"))


def _folded(text: str) -> str:
    return " ".join(text.lower().split()).strip(" .?!\"'") if len(text) <= _MAX_PROMPT else ""
