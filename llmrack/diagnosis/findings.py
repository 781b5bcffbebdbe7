"""What the checks share: the installation they look at, and what they say about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..inference.context import AppContext

OK, WARNING, BROKEN = "ok", "warning", "broken"


@dataclass(frozen=True)
class Installation:
    """What is looked at. `folder` is the instance folder, `secret_key` the one in force."""

    context: AppContext
    folder: Path
    secret_key: str


@dataclass(frozen=True)
class Finding:
    """`says` is a sentence without secrets; `mend` the command or setting that helps, empty where all is well."""

    state: str
    says: str
    mend: str = ""


def ok(says: str) -> Finding:
    return Finding(OK, says)


def warning(says: str, mend: str) -> Finding:
    return Finding(WARNING, says, mend)


def broken(says: str, mend: str) -> Finding:
    return Finding(BROKEN, says, mend)
