"""Agents and command lines against test mode, set up by the files of their pages, with their current versions.

script/recipes installs the programs and runs this; RECIPES names the folder of what it made. Node's programs are
skipped where Node is older than they ask for.
"""

from __future__ import annotations

import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.programs import need
from tests.support.testmode import Started, start

ROOT = Path(__file__).resolve().parents[2]
# Test mode answers "hi" with these words.
GREETING = "Hello"
# And so to what it has no answer for, such as "hi" inside instructions of the program's own.
ECHO = "This is test mode"

pytestmark = pytest.mark.skipif("RECIPES" not in os.environ, reason="script/recipes sets RECIPES")


@dataclass(frozen=True)
class Program:
    """How a page's program is run once: its files in a home of its own, then one command, and what it must print."""

    page: str
    command: str
    prints: str
    # file of docs_content/files -> its place below the home
    files: dict[str, str] = field(default_factory=dict)
    # files whose exports the command runs under, without the lines that start the program itself
    exports: str = ""
    environment: str = ""
    # The Node that the version of the page needs; npm gives an older Node an older version, with other files.
    node: int = 0


PROGRAMS = {
    "llm": Program(
        "llm",
        'llm keys set llmrack --value "$LLMRACK_API_KEY" && llm -m llmrack --no-stream "hi" && llm -m llmrack "hi"',
        GREETING,
        {"llm.yaml": ".config/io.datasette.llm/extra-openai-models.yaml"},
    ),
    "aider": Program(
        "aider",
        "aider --model openai/llama-3.1-8b --no-git --yes-always --no-check-update --no-show-model-warnings"
        ' --analytics-disable --message "hi"',
        ECHO,
        exports="aider.sh",
    ),
    "gptme": Program(
        "gptme", 'gptme -m local/qwen-2.5-7b --non-interactive --no-stream "hi"', GREETING, exports="gptme.sh"
    ),
    "sgpt": Program("shell-gpt", 'sgpt --no-cache "hi"', GREETING, {"shell-gpt.env": ".config/shell_gpt/.sgptrc"}),
    "sk": Program(
        "semantic-kernel", "python agent.py", "", {"semantic_kernel_agent.py": "agent.py"}
    ),
    "opencode": Program(
        "opencode", 'opencode run "hi"', GREETING, {"opencode.json": "opencode.json"}, environment="node"
    ),
    "qwen": Program("qwen-code", 'qwen --auth-type openai "hi"', GREETING, exports="qwen-code.sh", environment="node"),
    "codex": Program(
        "codex", 'codex exec --skip-git-repo-check "Reply with the single word PONG"', "PONG.",
        {"codex.toml": ".codex/config.toml"}, environment="node",
    ),
    "claude": Program(
        "claude-code", 'claude --tools "Bash,Read,Edit,Write" --system-prompt "You are a coding agent." -p "hi"',
        "This is test mode", exports="claude-code.sh", environment="node",
    ),
    "pi": Program(
        "pi", 'pi --provider llmrack --model llama-3.1-8b -p "hi"', GREETING,
        {"pi.json": ".pi/agent/models.json"}, environment="node", node=24,
    ),
    "continue": Program(
        "continue", 'cn --config continue.yaml -p "hi"', GREETING, {"continue.yaml": "continue.yaml"},
        environment="node",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    started = start(tmp_path_factory.mktemp("agents"))
    with started.server:
        yield started


def blocks(started: Started, page: str) -> dict[str, str]:
    """The text of each file on a page, as the running server shows it."""
    source = (ROOT / "docs_content" / "integrations" / f"{page}.md").read_text(encoding="utf-8")
    order = re.findall(r"^(?:\[\[file ([\w.-]+)\]\]|```\w+\n.*?^```)$", source, re.MULTILINE | re.DOTALL)
    with urllib.request.urlopen(f"{started.server.url}/docs/integrations/{page}.md", timeout=10) as reply:
        shown = re.findall(r"^```\w*\n(.*?)^```$", reply.read().decode(), re.MULTILINE | re.DOTALL)
    assert len(order) == len(shown), (order, shown)
    return {name: text for name, text in zip(order, shown, strict=True) if name}


def node_version() -> int:
    done = subprocess.run([need("node"), "--version"], capture_output=True, text=True)
    return int(done.stdout.lstrip("v").partition(".")[0] or 0)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_answers_when_it_is_set_up_as_its_page_says(name: str, started: Started, tmp_path: Path) -> None:
    program = PROGRAMS[name]
    folder = Path(os.environ["RECIPES"]) / (program.environment or name)
    bin_folder = folder / ("node_modules/.bin" if program.environment == "node" else "bin")
    if not bin_folder.is_dir() or not (bin_folder / program.command.split()[0]).exists():
        pytest.skip(f"{name} is not installed in {folder}")
    if program.node and program.node > node_version():
        pytest.skip(f"the version of the page needs Node {program.node}")
    texts = {file: text.replace("rl_live_...", started.key) for file, text in blocks(started, program.page).items()}
    for file, place in program.files.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(texts[file], encoding="utf-8")
    exports = [line for line in texts.get(program.exports, "").splitlines() if line.startswith("export ")]
    env = {
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LLMRACK_API_KEY": started.key,
        "HF_HUB_OFFLINE": "1",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "CI": "1",
    }
    script = "\n".join([*exports, program.command])
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, input=""
    )
    said = f"{script}\n{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, said
    assert program.prints in done.stdout + done.stderr, said
    assert done.stdout.strip(), said
