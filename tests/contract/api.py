"""The application with every model of the catalogue on offer, for tests that walk the rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flask import Flask

from llmrack import catalog
from llmrack.inference.context import AppContext
from tests.blueprints.v1.conftest import ROOMY_PLAN, make_app
from tests.support.fake_ollama import FakeOllama


def all_models() -> str:
    """An operator's file that switches the disabled examples on."""
    return "\n".join(f'[models."{model.id}"]\nenabled = true\n' for model in catalog.load().all if not model.enabled)


def opened(instance: Path, ollama: FakeOllama) -> Iterator[Flask]:
    (instance / "plans.toml").write_text(ROOMY_PLAN, encoding="utf-8")
    (instance / "models.toml").write_text(all_models(), encoding="utf-8")
    app = make_app(instance, ollama)
    yield app
    context: AppContext = app.extensions["llmrack"]
    context.engines.live.close()
    context.store.engine.dispose()
