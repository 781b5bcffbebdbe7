"""What a start says about the models, and that production keeps its keys to itself."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fake_ollama import FakeOllama
from tests.support.servers import ROOT, environment, flask


@pytest.fixture
def ollama() -> Iterator[FakeOllama]:
    with FakeOllama() as fake:
        yield fake


def test_a_missing_model_comes_with_the_line_that_gets_it(tmp_path: Path, ollama: FakeOllama) -> None:
    ollama.remove("qwen2.5:7b")
    said = flask(environment(tmp_path, ollama.url), "prepare")
    assert "missing: ollama pull qwen2.5:7b" in said
    assert said.count("ready") == 4


def test_the_first_start_proposes_windows_that_fit_and_later_ones_only_warn(tmp_path: Path, ollama: FakeOllama) -> None:
    env = environment(tmp_path, ollama.url)
    (tmp_path / "instance" / "models.toml").write_text(
        'models.phi-3-mini.num_ctx = 4096\nmodels."llama-3.1-8b".num_ctx = 131072\n', encoding="utf-8"
    )
    said = flask(env, "prepare")
    assert "at the top of instance/models.toml" in said
    assert re.search(r"phi-3-mini +4,096 now \([\d.]+ GB\), [\d,]+ fits", said)
    lines = [row.strip() for row in said.splitlines() if "num_ctx = " in row]
    assert any(row.startswith('models."phi-3-mini".num_ctx = ') for row in lines)
    (tmp_path / "instance" / "models.toml").write_text("\n".join(lines), encoding="utf-8")
    assert "Windows for this machine" not in flask(env, "prepare")


def test_production_prints_no_key(tmp_path: Path, ollama: FakeOllama) -> None:
    said = flask(environment(tmp_path, ollama.url, environment="production", secret_key="s" * 32), "prepare")
    assert "rl_" not in said


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("models.toml", "[models.phi-3-mini]\nnum_ctx = 1.5\n", "models.toml, line 2: num_ctx of model phi-3-mini"),
        ("plans.toml", "[plans.free]\nprice = 3\n", "plans.toml, line 2"),
    ],
)
@pytest.mark.parametrize("server", ["flask --app wsgi prepare", "gunicorn -c gunicorn.conf.py wsgi:app"])
def test_wrong_data_stops_the_start_with_one_sentence_and_without_a_traceback(
    tmp_path: Path, file: str, text: str, said: str, server: str
) -> None:
    env = environment(tmp_path, "http://127.0.0.1:9")
    (tmp_path / "instance" / file).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", *server.split()]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "LLMRack cannot start: " in done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
