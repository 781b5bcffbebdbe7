"""Real gunicorn serving LLMRack on a free port, with its own database and instance folder."""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
KEPT_ENV = ("PATH", "HOME", "LANG", "TZ", "GUNICORN_CMD_ARGS")
START_S = 30.0


class Running:
    """A started server. `settings` are its environment; `logs()` is everything it wrote so far."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path, settings: dict[str, str]) -> None:
        self.process, self.url, self.pid, self.settings = process, url, process.pid, settings
        self._log = log

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        """Tests that are not about stopping need not wait for connections to drain."""
        self.stop(grace_s=1.0)

    @property
    def address(self) -> tuple[str, int]:
        return self.settings["LLMRACK_HOST"], int(self.settings["LLMRACK_PORT"])

    def logs(self) -> str:
        return self._log.read_text(errors="replace")

    def worker_pids(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.pid).children()]

    def signal(self, number: signal.Signals) -> None:
        """To gunicorn itself, which passes it on: HUP reloads, TERM drains."""
        self.process.send_signal(number)

    def kill_worker(self) -> int:
        """`kill -9` to one worker; gunicorn starts another. Returns the pid that died."""
        pid = self.worker_pids()[0]
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_ready(self, timeout_s: float = START_S) -> None:
        """Until a worker answers HTTP; fails with the log when gunicorn ends before."""
        deadline = time.monotonic() + timeout_s
        while not _answers(self.address):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start (exit {self.process.poll()}):\n{self.logs()}")
            time.sleep(0.02)

    def key(self, mode: str = "test", name: str = "x", *more: str) -> str:
        """A new key's secret, made with the command that operators use."""
        return flask(self.settings, "keys", "create", "--name", name, "--mode", mode, *more).splitlines()[-1].strip()

    def stop(self, grace_s: float = 10.0) -> int:
        """TERM, and after `grace_s` KILL for what is left; returns the exit code."""
        if self.process.poll() is None:
            family = psutil.Process(self.pid).children(recursive=True)
            self.process.terminate()
            try:
                self.process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(grace_s)
            for child in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            psutil.wait_procs(family, timeout=5)
        return self.process.returncode


def start_app(tmp_path: Path, ollama_url: str, config: Path | str = "gunicorn.conf.py", **env: Any) -> Running:
    """gunicorn with the repository's own configuration. `env` are settings by lower-case name: `workers=2`.

    Without `database_url` it gets a migrated SQLite file in `tmp_path`; any other database is migrated first.
    """
    settings = environment(tmp_path, ollama_url, **env)
    if "database_url" in env:
        flask(settings, "db", "upgrade")
    else:
        shutil.copy(_migrated(), tmp_path / "llmrack.db")
    log = tmp_path / "gunicorn.log"
    command = [sys.executable, "-m", "gunicorn", "-c", str(config), "wsgi:app"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=out, stderr=subprocess.STDOUT)
    server = Running(process, f"http://127.0.0.1:{settings['LLMRACK_PORT']}", log, settings)
    try:
        server.wait_ready()
    except BaseException:
        server.stop(1)
        raise
    return server


def environment(tmp_path: Path, ollama_url: str, **env: Any) -> dict[str, str]:
    """The process environment of a server: nothing of the caller's but the path, and settings of its own."""
    instance = tmp_path / "instance"
    instance.mkdir(parents=True, exist_ok=True)
    settings = {
        "host": "127.0.0.1",
        "port": free_port(),
        "ollama_url": ollama_url,
        "database_url": f"sqlite:///{tmp_path / 'llmrack.db'}",
        "instance_dir": instance,
    }
    named = {f"LLMRACK_{name.upper()}": str(value) for name, value in (settings | env).items()}
    return {name: os.environ[name] for name in KEPT_ENV if name in os.environ} | {"PYTHONUNBUFFERED": "1"} | named


def flask(settings: dict[str, str], *arguments: str) -> str:
    """The output of `flask --app wsgi ...` under these settings; fails with what it wrote to stderr."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"flask {' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


@functools.cache
def _migrated() -> Path:
    """One migrated SQLite file for the run, to copy from: migrating takes longer than everything else in a start."""
    folder = Path(tempfile.mkdtemp(prefix="llmrack-migrated-"))
    flask(environment(folder, "http://127.0.0.1:9"), "db", "upgrade")
    return folder / "llmrack.db"


def _answers(address: tuple[str, int]) -> bool:
    connection = http.client.HTTPConnection(*address, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
