"""The programs of the system that tests start, and the Debian packages they come from.

A test asks for one with `need`. Where it is not installed the test is skipped, and the run ends with one line that
installs all that was missing; where CI is set the test fails. As a program this module prints the packages.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
from collections.abc import Iterable

PACKAGES = {
    "chromium": "chromium",
    "curl": "curl",
    "initdb": "postgresql",
    "nginx": "nginx-light",
    "node": "nodejs",
    "openssl": "openssl",
    "postgres": "postgresql",
    "redis-server": "redis-server",
    "systemd-analyze": "systemd",
}
# Debian keeps these out of the path of ordinary users.
FOLDERS = "/usr/sbin:/sbin:/usr/lib/postgresql/*/bin"
_REASON = re.compile(r"([\w-]+) is not installed$")


def find(name: str) -> str | None:
    """The path of an installed program. TEST_FOLDERS replaces where else than in PATH it is looked for."""
    patterns = os.environ.get("TEST_FOLDERS", FOLDERS).split(":")
    more = [folder for pattern in patterns for folder in sorted(glob.glob(pattern), reverse=True)]
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(more))


def need(name: str) -> str:
    """The path of an installed program, or the end of the test."""
    import pytest

    if (path := find(name)) is not None:
        return path
    if os.environ.get("CI"):
        pytest.fail(f"{name} must be installed where CI is set: apt-get install {PACKAGES[name]}", pytrace=False)
    pytest.skip(f"{name} is not installed")


def summary(reasons: Iterable[str]) -> str:
    """What to install for the tests that were skipped, in one line; empty where none was for want of a program."""
    names = [found[1] for reason in reasons if (found := _REASON.search(reason)) is not None]
    packages = sorted({PACKAGES[name] for name in names})
    return f"{len(names)} skipped: apt-get install {' '.join(packages)}" if names else ""


if __name__ == "__main__":
    print(" ".join(sorted(set(PACKAGES.values()))))
