"""The unit file that is shipped: systemd understands it, and it takes from the service what it does not need."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.support.programs import need
from tests.support.servers import ROOT

UNIT = ROOT / "deploy" / "llmrack.service"


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    here = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8").replace("/opt/llmrack", str(ROOT)).replace("User=llmrack", "User=daemon")
    here.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [need("systemd-analyze"), "verify", "--man=no", str(here)], capture_output=True, text=True, timeout=60
    )
    # What it says about other units of this machine is not about ours.
    assert [line for line in done.stderr.splitlines() if UNIT.name in line] == []


def test_the_service_is_hardly_exposed() -> None:
    """systemd's own sum, from 0 to 10; what is left is mostly the network, which the service needs."""
    command = [need("systemd-analyze"), "security", "--offline=true", "--no-pager", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    level = re.search(r"Overall exposure level[^:]*: ([\d.]+)", done.stdout)
    assert level is not None, done.stdout + done.stderr
    print(f"exposure {level[1]}")
    assert float(level[1]) <= 1.3


def test_the_service_writes_its_instance_folder_and_not_the_code_it_runs() -> None:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("ReadWritePaths=")] == ["ReadWritePaths=/opt/llmrack/instance"]
    for line in (
        "ProtectSystem=strict",
        "ProtectHome=true",
        "NoNewPrivileges=true",
        "CapabilityBoundingSet=",
        "UMask=0077",
    ):
        assert line in lines
