"""Real PostgreSQL and Redis servers from Debian's packages, on free ports and in folders of their own."""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import redis

from tests.support.programs import need
from tests.support.servers import free_port

START_S = 20.0


class Server:
    """A process of ours that can be killed, stopped, continued and started again with its data."""

    def __init__(self, command: list[str], folder: Path, user: str | None) -> None:
        self._command, self.folder, self._user = command, folder, user
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, is_ready: Callable[[], bool]) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT, user=self._user, group=self._user
            )
        deadline = time.monotonic() + START_S
        while not is_ready():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "the server is not ready in time"
            time.sleep(0.05)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self) -> None:
        assert self.process is not None
        self.process.wait(START_S)

    def remove(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(START_S)
        shutil.rmtree(self.folder, ignore_errors=True)


def _folder(prefix: str, user: str | None) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    if user:
        shutil.chown(folder, user, user)
    return folder


class PostgreSQL(Server):
    """One cluster. `create()` makes a database and returns its SQLAlchemy URL."""

    def __init__(self) -> None:
        initdb, postgres = need("initdb"), need("postgres")
        # PostgreSQL refuses to run as root.
        user = "postgres" if os.getuid() == 0 else None
        folder = _folder("llmrack-pg-", user)
        self._names = itertools.count(1)
        self.user = user or pwd.getpwuid(os.getuid()).pw_name
        self.port = free_port()
        data = str(folder / "data")
        subprocess.run(
            [initdb, "-D", data, "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"],
            check=True,
            capture_output=True,
            cwd=folder,
            user=user,
            group=user,
        )
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(folder), "max_connections": "60"}
        more = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        super().__init__([postgres, "-D", data, "-p", str(self.port), *more], folder, user)
        self.up()

    def up(self) -> None:
        """Start, also again after a kill, and return when it takes connections."""
        self.start(self.is_ready)

    def is_ready(self) -> bool:
        try:
            self._run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def crash(self) -> None:
        """`kill -9` to the server and to every process of it."""
        assert self.process is not None
        pids = [self.process.pid, *_children(self.process.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.wait()

    def freeze(self, number: signal.Signals) -> None:
        """SIGSTOP or SIGCONT to the server and to every process of it."""
        assert self.process is not None
        for pid in (self.process.pid, *_children(self.process.pid)):
            os.kill(pid, number)

    def create(self) -> str:
        name = f"test{next(self._names)}"
        self._run(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://{self.user}@127.0.0.1:{self.port}/{name}"

    def _run(self, sql: str) -> None:
        where = f"host=127.0.0.1 port={self.port} user={self.user} dbname=postgres connect_timeout=2"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(sql)


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


class Redis(Server):
    """One Redis without persistence."""

    def __init__(self) -> None:
        command = need("redis-server")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        super().__init__([command, *options], _folder("llmrack-redis-", None), None)
        self.up()

    def up(self) -> None:
        self.start(self.is_ready)

    def is_ready(self) -> bool:
        try:
            with redis.Redis(port=self.port, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@functools.cache
def shared_postgresql() -> PostgreSQL:
    """One cluster for the whole run; tests that hurt it make their own."""
    server = PostgreSQL()
    atexit.register(server.remove)
    return server


@functools.cache
def shared_redis() -> Redis:
    """One Redis for the whole run; tests that hurt it make their own."""
    server = Redis()
    atexit.register(server.remove)
    return server
