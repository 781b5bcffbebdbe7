"""Windows that fit the memory of a machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmrack import catalog
from llmrack.engines import memory_fit

GB = 2**30
LLAMA = catalog.load().get("llama-3.1-8b")
assert LLAMA is not None


def info(**more: Any) -> dict[str, Any]:
    """What Ollama says of llama3.1:8b."""
    facts = {"block_count": 32, "embedding_length": 4096, "attention.head_count": 32, "attention.head_count_kv": 8}
    return {"general.architecture": "llama", **{f"llama.{key}": value for key, value in {**facts, **more}.items()}}


@pytest.mark.parametrize(
    ("told", "per_token"),
    [
        (info(), 131_072),
        (info(**{"attention.key_length": 64, "attention.value_length": 32}), 32 * 8 * (64 + 32) * 2),
        (info(**{"attention.head_count_kv": [8] * 16 + [0] * 16}), 65_536),
        (info(**{"attention.head_count_kv": 0}), None),
        (info(block_count="many"), None),
        ({}, None),
    ],
)
def test_what_a_token_takes_is_ollamas_own_estimate(told: dict[str, Any], per_token: int | None) -> None:
    assert memory_fit.cache_bytes_per_token(told) == per_token


@pytest.mark.parametrize(
    ("memory_gb", "window"), [(4, 0), (8, 8_192), (9, 16_384), (12, 32_768), (16, 32_768), (18, 65_536), (512, 65_536)]
)
def test_the_largest_window_that_fits_three_quarters_of_the_memory_is_proposed(memory_gb: int, window: int) -> None:
    assert LLAMA is not None
    fit = memory_fit.fit(LLAMA, int(4.6 * GB), 131_072, memory_gb * GB)
    assert fit.window == window
    assert fit.is_too_large == (window < 16_384)
    assert fit.bytes <= memory_gb * GB * 0.75 or not window


def test_no_window_is_larger_than_what_the_model_was_built_for() -> None:
    assert LLAMA is not None
    assert memory_fit.fit(replace(LLAMA, context_tokens=20_000), 0, 1, 512 * GB).window == 16_384


def test_the_limit_of_a_container_is_its_memory(tmp_path: Path) -> None:
    limit, unlimited = tmp_path / "memory.max", tmp_path / "none"
    limit.write_text("1073741824\n")
    unlimited.write_text("max\n")
    assert memory_fit.memory_bytes([limit]) == GB
    assert memory_fit.memory_bytes([unlimited, tmp_path / "absent"]) > GB


def test_a_line_that_is_proposed_is_read_and_holds(tmp_path: Path) -> None:
    mine = tmp_path / "models.toml"
    mine.write_text(f"{memory_fit.line('llama-3.1-8b', 32_768)}\n\n[models.phi-3-mini]\nnum_ctx = 4096\n")
    found = catalog.load(mine)
    assert [model.num_ctx for id_ in ("llama-3.1-8b", "phi-3-mini") if (model := found.get(id_))] == [32_768, 4_096]


def test_one_line_switches_a_row_with_a_long_window_on(tmp_path: Path) -> None:
    assert catalog.load().get("llama-3.1-8b-64k") is None
    shown = Path(__file__).parents[2] / "docs_content" / "files" / "window-64k.toml"
    lines = [row for row in shown.read_text(encoding="utf-8").splitlines() if not row.startswith("#")]
    assert len(lines) == 1
    (tmp_path / "models.toml").write_text(lines[0])
    model = catalog.load(tmp_path / "models.toml").get("llama-3.1-8b-64k")
    assert model is not None
    assert model.num_ctx >= 64_000
