"""A machine without the programs that tests start: what it skips is told in one line, and under CI it fails."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import programs
from tests.support.servers import ROOT

# Tests that need nothing but one program each, and one that needs none.
SOME = (
    "tests/test_service_unit.py::test_the_service_is_hardly_exposed",
    "tests/contract/test_docs_snippets.py::test_every_request_of_the_quickstart_runs_as_the_page_shows_it[javascript-shipped]",
    "tests/store/test_migrations.py",
    "tests/browser/test_docs_walks.py",
    "tests/test_settings.py::test_a_mistyped_name_stops_the_start",
)


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine that has a shell and Python."""
    for name in ("sh", "env", "uname"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "PATH")}
    return kept | {"PATH": str(tmp_path), "TEST_FOLDERS": ""}


def run(environment: dict[str, str], *tests: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", *tests]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=110)
    return done.returncode, done.stdout


def test_what_is_not_installed_is_skipped_and_named_once_with_the_line_that_installs_it(bare: dict[str, str]) -> None:
    code, said = run(bare, *SOME)
    assert code == 0, said
    lines = [line for line in said.splitlines() if "skipped: " in line]
    assert len(lines) == 1, said
    assert re.fullmatch(r"\d+ skipped: apt-get install chromium nodejs postgresql systemd", lines[0])
    assert said.count("apt-get") == 1


def test_in_continuous_integration_what_is_not_installed_fails(bare: dict[str, str]) -> None:
    code, said = run(bare | {"CI": "true"}, SOME[0], SOME[-1])
    assert code == 1, said
    assert "systemd-analyze must be installed where CI is set: apt-get install systemd" in said
    assert "1 failed" in said or "FAILED" in said


def test_continuous_integration_installs_every_program_that_tests_ask_for() -> None:
    said = subprocess.run([sys.executable, programs.__file__], capture_output=True, text=True, check=True).stdout
    assert set(said.split()) == set(programs.PACKAGES.values())
    assert "$(python3 tests/support/programs.py)" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    asked = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r'\bneed\("([\w-]+)"\)', path.read_text(encoding="utf-8"))
    }
    assert asked <= set(programs.PACKAGES)
    # A program that is started by its name alone would be an error where it is missing.
    started = rf'(?:run|Popen|check_output)\(\s*\[\s*"(?:/usr/s?bin/)?({"|".join(programs.PACKAGES)})"'
    direct = [
        str(path) for path in (ROOT / "tests").rglob("*.py") if re.search(started, path.read_text(encoding="utf-8"))
    ]
    assert direct == []
