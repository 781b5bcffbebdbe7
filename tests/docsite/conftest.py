"""A small documentation in a folder, and the facts of a server that ships as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llmrack import catalog, plans, settings
from llmrack.docsite.facts import Facts
from llmrack.engines.sandbox import TRIGGERS
from llmrack.engines.sandbox.tool_calls import inert
from llmrack.metering.outcomes import OUTCOMES

Write = Callable[[dict[str, str]], Facts]


def facts(**changes: object) -> Facts:
    values = {
        "base_url": "https://llm.example.org",
        "version": "1.2.3",
        "catalog": catalog.load(),
        "plans": plans.load(),
        "settings": settings.load({}),
        "triggers": TRIGGERS,
        "inert_arguments": inert.ROWS,
        "outcomes": tuple(OUTCOMES.values()),
    }
    return Facts(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files by their path and gives the facts that read them; `nav.toml` lists the page `a` unless given."""

    def write(files: dict[str, str]) -> Facts:
        for name, text in {"nav.toml": '[[group]]\ntitle = "G"\npages = ["a"]\n', **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return facts(content=tmp_path, has_path=lambda path: path in ("/", "/pricing"))

    return write
