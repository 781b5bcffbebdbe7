"""The code beside the documentation runs as it stands: only the server and the key are the reader's own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import need
from tests.support.testmode import Started, start

RAIL = Path(__file__).resolve().parents[2] / "docs_content" / "rail"
SERVER = "http://127.0.0.1:8000"
RUN = {
    "curl.sh": ["sh", "-eu"],
    "python.py": [sys.executable, "-W", "error"],
    "sdk.py": [sys.executable, "-W", "error"],
    "node.mjs": ["node"],
}
NEEDS = {"curl.sh": ["curl"], "node.mjs": ["node"]}
# What a reader sees, whatever the language; a snippet may print it in any frame.
SEEN = {
    "chat": r"Hello! How can I help you today\?",
    "stream": r"Silent cells of light",
    "embeddings": r"768|fox and fox +0\.[6-9]|0\.0\d+",
    "tools": r"get_weather",
    "json": r"name.*age",
    "schema": r"Ada Lovelace",
    "models": r"phi-3-mini[\s\S]*nomic-embed",
    "vision": r"1 image",
}
SNIPPETS = sorted(path for path in RAIL.glob("*/*") if path.name in RUN)


@pytest.fixture(scope="module")
def sandboxed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    started = start(tmp_path_factory.mktemp("rail"))
    with started.server:
        yield started


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_snippet_runs_as_it_stands(snippet: Path, sandboxed: Started, tmp_path: Path) -> None:
    command = RUN[snippet.name]
    for program in NEEDS.get(snippet.name, ()):
        need(program)
    code = snippet.read_text(encoding="utf-8")
    assert SERVER in code, "a snippet names the server as the others do"
    file = tmp_path / snippet.name
    file.write_text(code.replace(SERVER, sandboxed.server.url), encoding="utf-8")
    seen = run([*command, str(file)], sandboxed, tmp_path)
    assert re.search(SEEN[snippet.parent.name], seen, re.DOTALL), seen
    if snippet.parent.name == "tools" and snippet.name != "curl.sh":
        assert "The weather in Paris is currently cloudy with a temperature of 18 degrees Celsius." in seen


def run(command: list[str], sandboxed: Started, folder: Path) -> str:
    """What the command prints. The environment holds what the documentation tells a reader to set, and the path."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LLMRACK_API_KEY": sandboxed.key}
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    # Streamed JSON comes word by word; joined it reads as the reader's eye joins it.
    return joined(done.stdout)


def joined(output: str) -> str:
    words = re.findall(r'"content":"((?:[^"\\]|\\.)*)"', output)
    return output + "".join(words) if output.startswith("data: ") else output


def test_the_rail_has_the_documented_requests() -> None:
    assert {path.parent.name for path in SNIPPETS} >= {"chat", "stream", "embeddings", "tools"}
    for name in ("chat", "stream", "embeddings", "tools"):
        assert {"curl.sh", "python.py", "node.mjs"} <= {path.name for path in SNIPPETS if path.parent.name == name}
