"""A database that cannot be used stops the start in one sentence, whatever is wrong with it."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmrack.errors import CannotStart
from llmrack.store import opening
from tests.support.servers import ROOT, environment, flask


def garbage(path: Path) -> None:
    path.write_bytes(b"no database " * 1000)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:30_000])


def scratched(path: Path) -> None:
    """Pages in the middle, so that it opens."""
    data = bytearray(path.read_bytes())
    data[8192:40_000] = random.Random(1).randbytes(40_000 - 8192)
    path.write_bytes(data)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def gone_with_its_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (garbage, "(file is not a database): restore it from a backup, or move it away"),
        (cut, "(database disk image is malformed): restore it from a backup, or move it away"),
        (scratched, "(database disk image is malformed): restore it from a backup, or move it away"),
        (a_folder, "(unable to open database file): make its folder, and the file in it, readable"),
        (gone_with_its_folder, "(unable to open its folder): make its folder, and the file in it, readable"),
    ],
)
def test_a_damaged_database_stops_the_start_in_one_sentence(
    tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    path = tmp_path / "database" / "llmrack.db"
    path.parent.mkdir()
    settings = environment(tmp_path, "http://127.0.0.1:9", database_url=f"sqlite:///{path}")
    flask(settings, "db", "upgrade")
    damage(path)
    line = refused(settings, "flask", "--app", "wsgi", "prepare")
    assert line.startswith(f"LLMRack cannot start: the database {path} cannot be used ")
    assert said in line
    if damage is not scratched:
        line = refused(settings, "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app")
        assert said in line


def test_a_postgresql_that_is_away_is_named_without_its_password(tmp_path: Path) -> None:
    url = "postgresql+psycopg://me:hunter2@127.0.0.1:9/d"
    line = refused(environment(tmp_path, "http://127.0.0.1:9", database_url=url), "flask", "--app", "wsgi", "prepare")
    assert line.startswith("LLMRack cannot start: the database postgresql+psycopg://me:***@127.0.0.1:9/d cannot be")
    assert "hunter2" not in line


def refused(settings: dict[str, str], *command: str) -> str:
    """The sentence of a start that must fail; gunicorn's own lines are JSON."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=settings, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Traceback" not in said
    lines = [line for line in said.splitlines() if line and not line.startswith("{")]
    assert said.count("cannot start") == 1
    return lines[-1]


@pytest.fixture
def readable() -> Iterator[Path]:
    """A folder with a database that this process may read and not write."""
    folder = Path(tempfile.mkdtemp(prefix="llmrack-readonly-"))
    path = folder / "llmrack.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    folder.chmod(0o755)
    user = os.geteuid()
    if user == 0:
        # Root may write everything.
        os.seteuid(65_534)
    try:
        yield path
    finally:
        os.seteuid(user)
        shutil.rmtree(folder)


def test_a_file_that_may_only_be_read_is_refused(readable: Path) -> None:
    with pytest.raises(CannotStart, match=r"cannot be used \(attempt to write a readonly database\): make it and its"):
        opening.check_file(f"sqlite:///{readable}")


def test_a_file_that_another_program_writes_is_no_reason_to_refuse(tmp_path: Path) -> None:
    path = tmp_path / "llmrack.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("CREATE TABLE t (x)")
        writer.execute("BEGIN EXCLUSIVE")
        opening.check_file(f"sqlite:///{path}")


def test_looking_makes_no_file(tmp_path: Path) -> None:
    opening.check_file(f"sqlite:///{tmp_path / 'llmrack.db'}")
    assert list(tmp_path.iterdir()) == []
