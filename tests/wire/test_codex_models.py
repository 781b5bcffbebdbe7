"""What Codex is told of models that can do more, or less, than the shipped ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llmrack.catalog import Model
from llmrack.wire import codex_models
from tests.wire.support import CATALOG

ABLE = replace(next(model for model in CATALOG if model.id == "llama-3.1-8b"), num_ctx=32_768)


def told(model: Model, **changes: Any) -> Any:
    rows = codex_models.listing([replace(model, **changes)])
    return rows[0] if rows else None


def test_a_model_that_reasons_has_levels_and_one_of_them_is_its_own() -> None:
    row = told(ABLE, capabilities=("tools", "reasoning"))
    assert row["default_reasoning_level"] in [level["effort"] for level in row["supported_reasoning_levels"]]
    assert row["supports_reasoning_summaries"] is True


def test_a_model_that_does_not_reason_has_no_levels() -> None:
    row = told(ABLE)
    assert (row["supported_reasoning_levels"], "default_reasoning_level" in row) == ([], False)


def test_images_go_to_models_that_see_them() -> None:
    assert told(ABLE, capabilities=("tools", "vision"))["input_modalities"] == ["text", "image"]


@pytest.mark.parametrize("changes", [{"capabilities": ("json",)}, {"num_ctx": 8192}])
def test_a_model_that_cannot_work_as_an_agent_is_left_out(changes: Any) -> None:
    assert told(ABLE, **changes) is None
