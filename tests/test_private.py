"""What an installation keeps is for its owner alone, and written whole."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

from app import create_app
from llmrack import private
from llmrack.errors import CannotStart


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_and_its_secret_are_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "instance"
    create_app({"instance_dir": str(folder)})
    assert (mode(folder), mode(folder / "secret_key")) == (0o700, 0o600)
    assert [path.name for path in folder.iterdir()] == ["secret_key"]


def test_an_open_database_in_an_open_folder_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "llmrack.db").write_bytes(b"")
    (tmp_path / "llmrack.db").chmod(0o644)
    tmp_path.chmod(0o755)
    with caplog.at_level(logging.WARNING):
        private.make_folder(tmp_path)
    assert f"chmod go-rwx {tmp_path}" in caplog.text
    assert "llmrack.db" in caplog.text
    caplog.clear()
    (tmp_path / "llmrack.db").chmod(0o600)
    private.make_folder(tmp_path)
    assert caplog.text == ""
    (tmp_path / "llmrack.db").chmod(0o644)
    tmp_path.chmod(0o700)
    private.make_folder(tmp_path)
    assert caplog.text == ""


@pytest.mark.parametrize("held", ["", "\n", "short"])
def test_an_empty_or_short_secret_stops_the_start_with_what_to_do(tmp_path: Path, held: str) -> None:
    (tmp_path / "secret_key").write_text(held)
    with pytest.raises(CannotStart, match="secret_key holds no secret of 32 characters"):
        create_app({"instance_dir": str(tmp_path)})


def test_a_secret_is_kept_from_start_to_start(tmp_path: Path) -> None:
    first, second = (create_app({"instance_dir": str(tmp_path)}).config["SECRET_KEY"] for _ in range(2))
    assert first == second


def test_a_folder_that_is_a_file_stops_the_start_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotStart, match="LLMRACK_INSTANCE_DIR"):
        create_app({"instance_dir": str(tmp_path / "file")})
