"""What the pages show runs: the code beside the text with real interpreters, and every configuration
file parses. The text is taken from the served pages, not from the files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from llmrack import catalog, plans
from llmrack.docsite.facts import CONTENT
from tests.support.programs import need
from tests.support.servers import ROOT
from tests.support.testmode import Started, start

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = {"bash": ["sh", "-eu"], "python": [sys.executable], "javascript": ["node"]}
NEEDS = {"bash": ["curl"], "python": [], "javascript": ["node"]}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    started = start(tmp_path_factory.mktemp("snippets"))
    with started.server:
        yield started


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """The models that a new installation has."""
    started = start(tmp_path_factory.mktemp("shipped"), models="")
    with started.server:
        yield started


def served(started: Started, slug: str) -> str:
    with urllib.request.urlopen(f"{started.server.url}/docs/{slug}.md", timeout=10) as reply:
        return str(reply.read().decode())


def blocks(text: str, language: str) -> list[str]:
    return [code for name, code in _BLOCK.findall(text) if name == language]


def run(code: str, language: str, started: Started, folder: Path) -> str:
    path = folder / f"snippet.{'mjs' if language == 'javascript' else 'txt'}"
    path.write_text(code, encoding="utf-8")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LLMRACK_API_KEY": started.key,
    }
    done = subprocess.run([*RUN[language], str(path)], cwd=folder, env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def rails(text: str, language: str) -> list[str]:
    """The blocks that send a request to this server, in one language."""
    needle = "/v1/" if language != "python" else "LLMRACK_API_KEY"
    return [code for code in blocks(text, language) if needle in code and "npm install" not in code]


@pytest.mark.parametrize("models", ["shipped", "started"])
@pytest.mark.parametrize("language", ["bash", "python", "javascript"])
def test_every_request_of_the_quickstart_runs_as_the_page_shows_it(
    language: str, models: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    for program in NEEDS[language]:
        need(program)
    started: Started = request.getfixturevalue(models)
    found = rails(served(started, "quickstart"), language)
    assert len(found) >= 7
    if language != "javascript":
        assert any("llava-7b" in code for code in found) == (models == "started")
    for code in found:
        assert started.server.url in code, "the page shows this server's own address"
        output = run(code, language, started, tmp_path)
        assert output.strip()
        assert '"error"' not in output
    print(f"{len(found)} {language} snippets of the quickstart exit 0")


@pytest.mark.parametrize("path", sorted((CONTENT / "files").glob("*.py")), ids=lambda path: path.name)
def test_a_recipe_in_python_is_python_and_is_on_a_page(path: Path, started: Started) -> None:
    """script/recipes runs them, with the packages they need."""
    page = next(page for page in (CONTENT / "integrations").glob("*.md") if f"[[file {path.name}]]" in page.read_text())
    for code in blocks(served(started, f"integrations/{page.stem}"), "python"):
        compile(code, path.name, "exec")


def every_page() -> list[str]:
    return [
        str(path.relative_to(CONTENT).with_suffix(""))
        for path in sorted((CONTENT / "integrations").glob("*.md"))
        if path.stem != "index"
    ]


@pytest.mark.parametrize("slug", [*every_page(), "quickstart", "self-hosting"])
def test_configuration_files_parse_and_name_this_server(slug: str, started: Started) -> None:
    text = served(started, slug)
    for code in blocks(text, "yaml"):
        assert yaml.safe_load(code), code
    for code in blocks(text, "json"):
        json.loads(code)
    for code in blocks(text, "toml"):
        assert tomllib.loads(code)
    if slug.startswith("integrations/"):
        assert f"{started.server.url}/v1" in text


def test_the_example_files_of_an_operator_are_read_by_the_program(tmp_path: Path) -> None:
    here = CONTENT / "files"
    assert catalog.load(here / "models.toml").get("my-model") is not None
    assert plans.load(here / "plans.toml").default.requests_per_minute == 20


def test_openclaw_reads_its_file_as_json5() -> None:
    """JSON5 is JavaScript's own notation: node reads it as an expression."""
    for name in ("openclaw.json5", "paperclip.json5"):
        text = re.sub(r"\[\[[^\]]+\]\]", "", (CONTENT / "files" / name).read_text())
        subprocess.run([need("node"), "-e", f"JSON.stringify({text})"], check=True, cwd=ROOT, timeout=20)
