"""The recipes in Python and Node against test mode, with the tools' real packages, as their pages show them.

script/recipes installs the packages and runs this; RECIPES names the folder of what it made.
"""

from __future__ import annotations

import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.testmode import Started, start

# file of docs_content/files -> (page, environment of script/recipes)
RECIPES = {
    "langchain.py": ("langchain", "langchain"),
    "langchain_embeddings.py": ("langchain", "langchain"),
    "llamaindex.py": ("llamaindex", "llamaindex"),
    "autogen_agent.py": ("autogen", "autogen"),
    "autogen_02.py": ("autogen", "autogen02"),
    "crewai_crew.py": ("crewai", "crewai"),
    "openai-sdk.mjs": ("openai-sdks", "node"),
}
ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif("RECIPES" not in os.environ, reason="script/recipes sets RECIPES")


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    started = start(tmp_path_factory.mktemp("recipes"))
    with started.server:
        yield started


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs_as_its_page_shows_it(name: str, started: Started, tmp_path: Path) -> None:
    page, environment = RECIPES[name]
    folder = Path(os.environ["RECIPES"]) / environment
    code = shown(started, page, name)
    path = tmp_path / name
    path.write_text(code, encoding="utf-8")
    if name.endswith(".mjs"):
        (tmp_path / "node_modules").symlink_to(folder / "node_modules")
        command = ["node", str(path)]
    else:
        command = [str(folder / "bin" / "python"), str(path)]
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LLMRACK_API_KEY": started.key,
        "HF_HUB_OFFLINE": "1",
        "CREWAI_DISABLE_TELEMETRY": "true",
        "CREWAI_TRACING_ENABLED": "false",
        "OTEL_SDK_DISABLED": "true",
    }
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=500, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
    assert done.stdout.strip()


def shown(started: Started, page: str, name: str) -> str:
    """The code of a file, as the page of the running server has it."""
    source = (ROOT / "docs_content" / "integrations" / f"{page}.md").read_text(encoding="utf-8")
    suffix, language = (".mjs", "javascript") if name.endswith(".mjs") else (".py", "python")
    order = [found for found in re.findall(r"\[\[file ([\w.-]+)\]\]", source) if found.endswith(suffix)]
    with urllib.request.urlopen(f"{started.server.url}/docs/integrations/{page}.md", timeout=10) as reply:
        blocks = re.findall(rf"^```{language}\n(.*?)^```$", reply.read().decode(), re.MULTILINE | re.DOTALL)
    # A rail adds blocks of its own; the files of a page begin with lines that theirs do not have.
    first = (ROOT / "docs_content" / "files" / name).read_text(encoding="utf-8").splitlines()[0]
    own = [block for block in blocks if len(blocks) == len(order) or block.startswith(first)]
    return str(own[order.index(name)])
