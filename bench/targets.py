"""What is measured: each target is a few processes, an address, and its own way to ask."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.support.servers import ROOT, Running, environment, flask, free_port, start_app

from .loaded import fill

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
KEY = "rl_live_bench-key-that-only-nginx-knows"
UNLIMITED = """
[plans.free]
requests_per_minute = 1000000000
tokens_per_day = 1000000000000000
concurrent_requests = 100000
test_requests_per_minute = 1000000000
test_concurrent_requests = 100000
"""
WIDE = '[models."llama-3.1-8b"]\nnum_ctx = 131072\n'


@dataclass
class Target:
    """`pid` and its children are what CPU and memory are read of; None for what is not measured."""

    name: str
    port: int
    pid: int | None
    key: str = KEY
    is_gateway: bool = False
    checks_keys: bool = False
    logs: Any = field(default=lambda: "", repr=False)

    def request(self, prompt: str, *, stream: bool, key: str | None = None) -> str:
        """A chat request as base64, in the dialect this target speaks."""
        body: dict[str, Any] = {"messages": [{"role": "user", "content": prompt}], "stream": stream}
        body["model"] = "llama-3.1-8b" if self.is_gateway else "llama3.1:8b"
        return self._encoded("/v1/chat/completions" if self.is_gateway else "/api/chat", body, key)

    def embedding_request(self, texts: int) -> str:
        body = {"input": [f"text {number}" for number in range(texts)]}
        body |= {"model": "nomic-embed"} if self.is_gateway else {"model": "nomic-embed-text"}
        return self._encoded("/v1/embeddings" if self.is_gateway else "/api/embed", body, None)

    def page_request(self, path: str) -> str:
        """A GET for a page, as base64."""
        return base64.b64encode(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode()).decode()

    def _encoded(self, path: str, body: dict[str, Any], key: str | None) -> str:
        data = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {key or self.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        return base64.b64encode(head.encode() + data).decode()

    def cpu_s(self) -> float:
        """Processor seconds of all threads so far: to the nanosecond from the scheduler where Linux tells."""
        return sum(_cpu_s(process) for process in self._processes())

    def rss_bytes(self) -> int:
        return sum(process.memory_info().rss for process in self._processes())

    def _processes(self) -> list[psutil.Process]:
        if self.pid is None:
            return []
        parent = psutil.Process(self.pid)
        return [parent, *parent.children(recursive=True)]


def _cpu_s(process: psutil.Process) -> float:
    try:
        files = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
        return sum(int(file.read_text().split()[0]) for file in files) / 1e9
    except (OSError, ValueError, IndexError):
        times = process.cpu_times()
        return times.user + times.system


@contextmanager
def running(names: list[str], folder: Path) -> Iterator[dict[str, Target]]:
    """The upstream and the named targets in front of it, started one after another and stopped together."""
    with ExitStack() as stack:
        port = upstream(stack)
        starters = {"direct": _direct, "relay": _relay, "nginx": _nginx, "llmrack": _llmrack, "loaded": _loaded}
        yield {name: starters[name](stack, port, folder) for name in names}


def upstream(stack: ExitStack) -> int:
    """A stand-in of its own; its port."""
    return stack.enter_context(_module("bench.upstream"))[1]


def _direct(stack: ExitStack, port: int, folder: Path) -> Target:
    return Target("direct", port, None)


def _relay(stack: ExitStack, port: int, folder: Path) -> Target:
    pid, own = stack.enter_context(_module("bench.relay", "--upstream", str(port)))
    return Target("relay", own, pid)


def _nginx(stack: ExitStack, port: int, folder: Path) -> Target:
    """The key check is a map lookup, the limit is one that is counted and never reached."""
    own, home = free_port(), folder / "nginx"
    home.mkdir()
    values = {"port": own, "upstream": port, "key": KEY, "home": home}
    user = "user root;" if os.geteuid() == 0 else ""
    text = (ROOT / "bench" / "nginx.conf").read_text()
    for name, value in (values | {"user": user}).items():
        text = text.replace(f"@{name}@", str(value))
    (home / "nginx.conf").write_text(text)
    command = [str(NGINX), "-p", str(home), "-c", str(home / "nginx.conf"), "-e", str(home / "error.log")]
    process = subprocess.Popen(command)
    stack.callback(_stop, process)
    return Target("nginx", own, process.pid, checks_keys=True, logs=(home / "error.log").read_text)


def _llmrack(stack: ExitStack, port: int, folder: Path) -> Target:
    return llmrack(stack, port, folder, "llmrack")


def _loaded(stack: ExitStack, port: int, folder: Path) -> Target:
    """LLMRack on a database that holds a year of many accounts."""
    return llmrack(stack, port, folder, "loaded", prepare=lambda path: fill(path, time.time()))


def llmrack(
    stack: ExitStack,
    port: int,
    folder: Path,
    name: str,
    prepare: Callable[[Path], None] | None = None,
    **settings: Any,
) -> Target:
    """LLMRack as it ships, on SQLite with one worker unless `settings` say otherwise, with limits that are counted and
    never reached."""
    home = folder / name
    (home / "instance").mkdir(parents=True)
    (home / "instance" / "plans.toml").write_text(UNLIMITED)
    (home / "instance" / "models.toml").write_text(WIDE)
    if prepare is not None:
        database = home / "prepared.db"
        settings["database_url"] = f"sqlite:///{database}"
        flask(environment(home, "http://127.0.0.1:9", **settings), "db", "upgrade")
        prepare(database)
    server: Running = start_app(home, f"http://127.0.0.1:{port}", **settings)
    stack.callback(server.stop, 3)
    key = server.key("live", "bench")
    return Target(name, server.address[1], server.pid, key, is_gateway=True, checks_keys=True, logs=server.logs)


@contextmanager
def _module(name: str, *arguments: str) -> Iterator[tuple[int, int]]:
    """A module of ours as a process that prints its port: (pid, port)."""
    command = [sys.executable, "-m", name, *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.pid, int(process.stdout.readline())
    finally:
        _stop(process)
        process.stdout.close()


def _stop(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
