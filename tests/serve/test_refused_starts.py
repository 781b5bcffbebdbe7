"""A start that cannot serve ends at once: one sentence, exit code 1, no traceback, by whichever command it begins."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.servers import ROOT, environment, start_app

GUNICORN = (sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app")
FLASK = (sys.executable, "-m", "flask", "--app", "wsgi", "settings")
SERVER = ("script/server",)


def refused(command: tuple[str, ...], settings: dict[str, str]) -> str:
    """What a start that must fail said."""
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=60)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Traceback" not in said
    # A first start of script/server says what it installs.
    lines = [line for line in said.splitlines() if not line.startswith(("Making ", "Installing "))]
    assert len(lines) == 1, said
    return lines[0].removeprefix("LLMRack cannot start: ")


@pytest.mark.parametrize(
    ("command", "name", "value"),
    [
        (GUNICORN, "LLMRACK_WORKER_CONNECTIONS", "0"),
        (GUNICORN, "LLMRACK_GRACEFUL_TIMEOUT_S", "-5"),
        (GUNICORN, "LLMRACK_LOG_LEVEL", "loud"),
        (GUNICORN, "PORT", "tcp://10.0.0.1:80"),
        (FLASK, "LLMRACK_OLLAMA_URL", "127.0.0.1:11434/v1"),
        (FLASK, "LLMRACK_PING_INTERVAL_S", "0"),
        (SERVER, "LLMRACK_MAX_BODY_BYTES", "0"),
        (SERVER, "LLMRACK_PUBLIC_URL", "example"),
    ],
)
def test_a_wrong_setting_stops_every_command_with_one_sentence(
    tmp_path: Path, command: tuple[str, ...], name: str, value: str
) -> None:
    settings = environment(tmp_path, "http://127.0.0.1:9") | {name: value}
    if name == "PORT":
        del settings["LLMRACK_PORT"]
    assert refused(command, settings).startswith(f"{name}={value!r} is not valid: it takes ")


@pytest.mark.parametrize("way", ["option", "environment"])
def test_workers_of_the_command_line_are_held_to_the_settings_rules(tmp_path: Path, way: str) -> None:
    settings = environment(tmp_path, "http://127.0.0.1:9")
    command = GUNICORN
    if way == "option":
        command = (*GUNICORN, "-w", "2")
    else:
        settings["GUNICORN_CMD_ARGS"] = "--workers 2"
    assert "2 without LLMRACK_REDIS_URL would allow 2 times the requests" in refused(command, settings)


def test_a_signal_for_one_worker_more_is_refused_where_one_is_allowed(tmp_path: Path) -> None:
    with start_app(tmp_path, "http://127.0.0.1:9") as server:
        (pid,) = server.worker_pids()
        server.signal(signal.SIGTTIN)
        deadline = time.monotonic() + 5
        while "still 1 workers" not in server.logs() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "still 1 workers" in server.logs()
        assert server.worker_pids() == [pid]
