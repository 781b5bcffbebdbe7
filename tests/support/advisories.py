"""Compares pinned versions with a database of advisories (https://google.github.io/osv.dev/post-v1-querybatch/).

`requirements.audit.toml` keeps the day of the last comparison and the versions that were compared, because the
database is not always within reach: a test holds the list to requirements.txt, so that an upgrade renews it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIST = ROOT / "requirements.audit.toml"
PINNED = ("requirements.txt", "requirements-dev.txt")
DATABASE = "https://api.osv.dev"
TIMEOUT_S = 10.0
NEVER = "never"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==([^\s;\\]+)", re.MULTILINE)

# (name, version): a package can be pinned twice, for two versions of Python.
Pin = tuple[str, str]


class OutOfReach(Exception):
    """The database cannot be asked; the message says why."""


def pins(root: Path = ROOT) -> list[Pin]:
    """Every pinned version of what the server and its tests install."""
    return sorted({pin for name in PINNED for pin in _PIN.findall((root / name).read_text(encoding="utf-8"))})


def advisories(wanted: list[Pin], database: str) -> dict[Pin, list[str]]:
    """The ids of the advisories about each version that has any. Raises OutOfReach."""
    queries = [{"package": {"name": name, "ecosystem": "PyPI"}, "version": version} for name, version in wanted]
    request = urllib.request.Request(
        f"{database}/v1/querybatch",
        data=json.dumps({"queries": queries}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
            results = json.load(reply)["results"]
    except (urllib.error.URLError, OSError, ValueError, KeyError) as error:
        raise OutOfReach(f"{database}: {error}") from error
    if len(results) != len(wanted):
        raise OutOfReach(f"{database} answered about {len(results)} of {len(wanted)} versions")
    found = {pin: [row["id"] for row in result.get("vulns", ())] for pin, result in zip(wanted, results, strict=True)}
    return {pin: ids for pin, ids in found.items() if ids}


def listing(wanted: list[Pin], compared_on: str, with_what: str) -> str:
    """The text of requirements.audit.toml."""
    rows = "".join(f'    "{name}=={version}",\n' for name, version in wanted)
    return (
        "# Written by script/audit --write after script/lock. When these versions were last compared with advisories.\n"
        f'compared_on = "{compared_on}"\ncompared_with = "{with_what}"\nversions = [\n{rows}]\n'
    )


def last(path: Path = LIST) -> Mapping[str, object]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the list anew")
    parser.add_argument("--database", default=os.environ.get("ADVISORIES_URL", DATABASE))
    parser.add_argument("--list", type=Path, default=LIST)
    options = parser.parse_args()
    wanted, today = pins(), f"{datetime.now(UTC):%Y-%m-%d}"
    try:
        found = advisories(wanted, options.database)
    except OutOfReach as error:
        before = last(options.list)["compared_on"] if options.list.exists() else NEVER
        print(f"Advisories cannot be asked ({error}). Last compared: {before}.", file=sys.stderr)
        if options.write:
            # What was pinned then is not what is pinned now.
            options.list.write_text(listing(wanted, NEVER, f"out of reach on {today}"), encoding="utf-8")
        return 0
    for (name, version), ids in sorted(found.items()):
        print(f"{name} {version}: {', '.join(ids)}")
    if found:
        return 1
    print(f"{len(wanted)} pinned versions have no advisory at {options.database}.")
    if options.write:
        options.list.write_text(listing(wanted, today, options.database), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
