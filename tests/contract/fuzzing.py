"""Schemathesis against a real server in test mode: `python -m tests.contract.fuzzing --cases 10000`.

Nothing a client can send may end in a 5xx, in a status or shape that openapi.json does not declare, in success for
what it forbids, or in the refusal of what it allows for a reason other than the meaning of the values.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmrack.wire.openapi.operations import OPERATIONS
from tests.blueprints.v1.conftest import ROOMY_PLAN
from tests.contract.api import all_models
from tests.support.servers import Running, start_app

# A body may fit the schemas and still ask for what cannot be: tools that are not there, an image for a model without
# eyes. Receipts and models are asked for by ids that mostly do not exist.
CONFIG = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "413"]
negative_data_rejection.expected-statuses = ["400", "401", "404", "405", "413", "415"]

[warnings]
enabled = false
"""
GROUPS = tuple(dict.fromkeys(operation.tag for operation in OPERATIONS))


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Running, str]]:
    """A server with every model on offer and limits that are never met, and a test key for it."""
    instance = folder / "instance"
    instance.mkdir(parents=True)
    (instance / "plans.toml").write_text(ROOMY_PLAN + "reads_per_minute = 1000000\n", encoding="utf-8")
    (instance / "models.toml").write_text(all_models(), encoding="utf-8")
    nowhere = "http://127.0.0.1:9"
    with start_app(folder, nowhere, test_mode_pieces_per_s=0, log_level="warning") as server:
        yield server, server.key("test", "fuzz", "--plan", "business")


def run(server: Running, key: str, folder: Path, cases: int, seed: int, groups: tuple[str, ...] = GROUPS) -> str | None:
    """What Schemathesis found, as it says it; None when it found nothing. `cases` are per operation."""
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG, encoding="utf-8")
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "--no-color", "run"]
    command += [f"{server.url}/openapi.json", "--header", f"Authorization: Bearer {key}"]
    command += ["--max-examples", str(cases), "--seed", str(seed), "--generation-database", "none"]
    command += [part for group in groups for part in ("--include-tag", group)]
    # One worker: on several threads Python 3.11's own parser fails inside the generator.
    command += ["--workers", "1", "--suppress-health-check", "all"]
    env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    return None if done.returncode == 0 else f"{done.stdout}\n{done.stderr}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="per group of operations")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as name, serving(Path(name)) as (server, key):
        for group in GROUPS:
            members = sum(operation.tag == group for operation in OPERATIONS)
            found = run(server, key, Path(name), asked.cases // members, asked.seed, (group,))
            print(f"{group}: {'nothing found' if found is None else found}", flush=True)
            failed += found is not None
        broken = [line for line in server.logs().splitlines() if '"level": "error"' in line]
    print("\n".join(broken[:5]))
    return 1 if failed or broken else 0


if __name__ == "__main__":
    sys.exit(main())
