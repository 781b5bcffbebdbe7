"""CONTRIBUTING.md names what is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TREE = next(block for block in TEXT.split("```") if block.startswith("\napp.py"))


def paths_of_tree() -> list[str]:
    """The files and folders of the drawn tree: two blanks of indentation are one folder down."""
    found, folders = [], [""]
    for line in TREE.strip("\n").splitlines():
        names = re.split(r"  +", line.strip())[0].split()
        depth = (len(line) - len(line.lstrip())) // 2
        del folders[depth + 1 :]
        found += [folders[depth] + name for name in names]
        if names[-1].endswith("/"):
            folders.append(folders[depth] + names[-1])
    return found


QUOTED = re.findall(r"`((?:\w[\w.-]*/)+[\w.-]*)`", TEXT)


@pytest.mark.parametrize("path", sorted({*paths_of_tree(), *QUOTED}))
def test_every_path_that_it_names_exists(path: str) -> None:
    # Pages, captures and rails are named inside their folder.
    places = (ROOT, ROOT / "docs_content", ROOT / "llmrack")
    assert any((place / path).exists() for place in places), path


def test_the_tree_has_every_package() -> None:
    packages = {f"{path.parent.relative_to(ROOT)}/" for path in (ROOT / "llmrack").glob("*/__init__.py")}
    assert packages <= set(paths_of_tree())
