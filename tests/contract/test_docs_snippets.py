"""What the pages show runs: the code beside the text with real interpreters, the recipes where their packages are
installed, and every configuration file parses. The text is taken from the served pages, not from the files."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from llmrack import catalog, plans
from llmrack.docsite.facts import CONTENT
from tests.support.servers import ROOT
from tests.support.testmode import Started, start

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = {"bash": ["sh", "-eu"], "python": [sys.executable], "javascript": ["node"]}
# A recipe runs where its package is there; the pages name the versions with which each was tried.
PACKAGES = {
    "langchain.py": "langchain_openai",
    "langchain_embeddings.py": "langchain_openai",
    "llamaindex.py": "llama_index.llms.openai_like",
    "autogen_agent.py": "autogen_ext",
    "autogen_02.py": "autogen",
    "crewai_crew.py": "crewai",
}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    started = start(tmp_path_factory.mktemp("snippets"))
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
        "HF_HUB_OFFLINE": "1",
        "CREWAI_DISABLE_TELEMETRY": "true",
        "OTEL_SDK_DISABLED": "true",
    }
    done = subprocess.run([*RUN[language], str(path)], cwd=folder, env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def rails(text: str, language: str) -> list[str]:
    """The blocks that send a request to this server, in one language."""
    needle = "/v1/" if language != "python" else "LLMRACK_API_KEY"
    return [code for code in blocks(text, language) if needle in code and "npm install" not in code]


@pytest.mark.parametrize("language", ["bash", "python", "javascript"])
def test_every_request_of_the_quickstart_runs_as_the_page_shows_it(
    language: str, started: Started, tmp_path: Path
) -> None:
    if shutil.which(RUN[language][0]) is None:
        pytest.skip(f"{RUN[language][0]} is not installed")
    found = rails(served(started, "quickstart"), language)
    assert len(found) >= 7
    for code in found:
        assert started.server.url in code, "the page shows this server's own address"
        output = run(code, language, started, tmp_path)
        assert output.strip()
        assert '"error"' not in output
    print(f"{len(found)} {language} snippets of the quickstart exit 0")


def test_the_node_snippet_of_the_sdk_runs_where_the_package_is(started: Started, tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    modules = os.environ.get("NODE_PATH_OPENAI")
    if not modules:
        pytest.skip("NODE_PATH_OPENAI names no node_modules with openai in it")
    code = next(code for code in blocks(served(started, "quickstart"), "javascript") if "npm install" in code)
    (tmp_path / "node_modules").symlink_to(modules)
    assert run(code, "javascript", started, tmp_path).strip()


@pytest.mark.parametrize("name", sorted(path.name for path in (CONTENT / "files").glob("*.py")))
def test_a_recipe_in_python_runs_where_its_package_is_installed(name: str, started: Started, tmp_path: Path) -> None:
    page = next(path for path in (CONTENT / "integrations").glob("*.md") if f"[[file {name}]]" in path.read_text())
    order = re.findall(r"\[\[file ([\w.-]+\.py)\]\]", page.read_text())
    code = blocks(served(started, f"integrations/{page.stem}"), "python")[order.index(name)]
    compile(code, name, "exec")
    if not _is_installed(PACKAGES[name]):
        pytest.skip(f"{PACKAGES[name]} is not installed")
    assert run(code, "python", started, tmp_path).strip()


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


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
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    for name in ("openclaw.json5", "paperclip.json5"):
        text = re.sub(r"\[\[[^\]]+\]\]", "", (CONTENT / "files" / name).read_text())
        subprocess.run(["node", "-e", f"JSON.stringify({text})"], check=True, cwd=ROOT, timeout=20)
