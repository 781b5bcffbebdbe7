"""SECURITY.md names tests and files that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
POLICY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", POLICY))))
def test_a_test_that_holds_a_promise_exists(named: str) -> None:
    path, _, function = named.partition("::")
    assert f"def {function}(" in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`((?:[a-z_]+/)+(?:[\w.-]+)?)`", POLICY))))
def test_a_file_that_the_policy_names_exists(named: str) -> None:
    assert (ROOT / named).exists()


def test_every_promise_names_its_tests() -> None:
    promises = POLICY.split("## What is promised")[1].split("\n## ")[0]
    rows = [line for line in promises.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert len(rows) >= 10
    assert all("`tests/" in row for row in rows)
