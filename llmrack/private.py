"""Files of this installation that no other user of the machine may read: the database and the secret."""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from pathlib import Path

from .errors import CannotStart

log = logging.getLogger(__name__)

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_folder(path: Path) -> None:
    """Make the folder for its owner alone, and warn of what in it others can read. Raises CannotStart."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = exposed(path)
    except OSError as error:
        raise CannotStart(
            f"{path} cannot be used: {error.strerror}. Set LLMRACK_INSTANCE_DIR to a folder that can."
        ) from error
    if found:
        names = " ".join(str(entry) for entry in found)
        log.warning("other users of this machine can read %s: chmod go-rwx %s", names, names)


def exposed(path: Path) -> list[Path]:
    """The folder and what in it other users of the machine can read; empty where nothing is. Raises OSError."""
    files = [entry for entry in (*path.glob("*.db*"), path / "secret_key") if _is_open(entry)]
    # Behind a folder of its owner's it does not matter who may read a file.
    return [path, *files] if files and _is_open(path) else []


def _is_open(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & _OTHERS)


def write(path: Path, text: str) -> None:
    """Write a file for its owner alone, whole or not at all. Raises CannotStart."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError as error:
        raise CannotStart(f"{path} cannot be written: {error.strerror}.") from error
