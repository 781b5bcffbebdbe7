"""What a start says about the models, and that production keeps its keys to itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fake_ollama import FakeOllama
from tests.support.servers import environment, flask


@pytest.fixture
def ollama() -> Iterator[FakeOllama]:
    with FakeOllama() as fake:
        yield fake


def test_a_missing_model_comes_with_the_line_that_gets_it(tmp_path: Path, ollama: FakeOllama) -> None:
    ollama.remove("qwen2.5:7b")
    said = flask(environment(tmp_path, ollama.url), "prepare")
    assert "missing: ollama pull qwen2.5:7b" in said
    assert said.count("ready") == 4


def test_production_prints_no_key(tmp_path: Path, ollama: FakeOllama) -> None:
    said = flask(environment(tmp_path, ollama.url, environment="production", secret_key="s" * 32), "prepare")
    assert "rl_" not in said
