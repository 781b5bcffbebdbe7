"""A small real server that speaks Ollama's native API, with scripted pace and faults.

It runs in a process of its own, so that it serves gunicorn and pytest alike and neither shares its event loop. A test
holds a `FakeOllama`, which starts it and talks to its second port; by hand it is
`python -m tests.support.fake_ollama --port 11434`. `tests/support/README.md` lists scripts, markers and faults.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EMPTY_ENV = ("PATH", "HOME", "LANG", "SYSTEMROOT")


class FakeOllama:
    """The server as a test sees it. `url` is what the gateway is given; the methods go through the second port."""

    def __init__(self, port: int = 0) -> None:
        command = [sys.executable, "-m", "tests.support.fake_ollama", "--port", str(port), "--until-stdin-closes"]
        env = {name: os.environ[name] for name in EMPTY_ENV if name in os.environ}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        ports = json.loads(self.process.stdout.readline())
        self.port, self.control_port = ports["port"], ports["control_port"]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> FakeOllama:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def state(self) -> dict[str, Any]:
        """Counts of requests, connections and answers in flight (with peaks), loads, reloads, models in memory."""
        return self._call("state")

    def requests(self, tag: str | None = None, path: str | None = None) -> list[dict[str, Any]]:
        """The records, oldest first; see `ollama/records.py` for their fields."""
        return self._call("requests", tag=tag, path=path)

    def last(self, tag: str | None = None, path: str | None = None) -> dict[str, Any]:
        return self.requests(tag, path)[-1]

    def queue(self, *scripts: dict[str, Any]) -> None:
        """One script for each of the next unmarked requests: `queue({"fault": "rst_at_chunk:3"}, {"pace_s": 0.1})`."""
        self._call("queue", scripts=list(scripts))

    def always(self, **script: Any) -> None:
        """The script of every request that has neither marker nor queued script."""
        self._call("always", script=script)

    def define(self, name: str, **script: Any) -> str:
        """Keep a script; the marker returned, put into a prompt, chooses it."""
        self._call("define", name=name, script=script)
        return f"[[script:{name}]]"

    def release(self, name: str) -> None:
        """Let go of the answers held by `{"hold": name}`, now and from now on."""
        self._call("release", name=name)

    def settings(self, **values: Any) -> None:
        """`version`, `parallel`, `load_s`, `idle_s`."""
        self._call("settings", **values)

    def context(self, tokens: int) -> None:
        self._call("context", tokens=tokens)

    def install(self, name: str, capabilities: list[str], **values: Any) -> None:
        plain = {"family": "llama", "parameters": "1B", "context": 8192, "width": 512}
        self._call("install", **plain | values, name=name, capabilities=capabilities)

    def remove(self, name: str) -> None:
        self._call("remove", name=name)

    def down(self) -> None:
        """Refuse connections and reset those that are open; `up` listens on the same port again."""
        self._call("down")

    def up(self) -> None:
        self._call("up")

    def reset(self) -> None:
        self._call("reset")

    def freeze(self) -> None:
        """The whole process hangs, its sockets stay open; nothing here may be called until `thaw`."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def wait_for(self, tag: str | None = None, timeout_s: float = 5.0, **wanted: Any) -> dict[str, Any]:
        """The newest request whose record has these values: `wait_for("t1", outcome="client_left")`."""

        def found() -> dict[str, Any] | None:
            rows = [row for row in self.requests(tag) if all(row[name] == value for name, value in wanted.items())]
            return rows[-1] if rows else None

        return self.wait_until(found, timeout_s)

    def wait_until(self, check: Callable[[], Any], timeout_s: float = 5.0) -> Any:
        """What `check` returns as soon as it is true; fails with the records when it never is."""
        deadline = time.monotonic() + timeout_s
        while not (value := check()):
            if time.monotonic() > deadline:
                brief = [(row["tag"], row["path"], row["outcome"], row["pieces"]) for row in self.requests()]
                raise AssertionError(f"not within {timeout_s} s; state {self.state()}; requests {brief}")
            time.sleep(0.01)
        return value

    def _call(self, command: str, /, **values: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=10)
        try:
            connection.request("POST", f"/{command}", json.dumps(values))
            reply = connection.getresponse()
            answer = json.loads(reply.read())
        finally:
            connection.close()
        if reply.status != 200:
            raise ValueError(answer["error"])
        return answer


def main() -> None:
    from gevent.server import StreamServer

    from tests.support.ollama.control import Control
    from tests.support.ollama.server import Ollama

    parser = argparse.ArgumentParser(description="Pretend to be Ollama.")
    parser.add_argument("--port", type=int, default=11434)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with the process that started it")
    options = parser.parse_args()
    ollama = Ollama(port=options.port, host=options.host)
    ollama.up()
    control = StreamServer(("127.0.0.1", options.control_port), Control(ollama).serve)
    control.start()
    print(json.dumps({"port": ollama.port, "control_port": control.server_port}), flush=True)
    if options.until_stdin_closes:
        from gevent.fileobject import FileObject

        FileObject(sys.stdin.fileno(), "rb").read()
    else:
        control.serve_forever()


if __name__ == "__main__":
    main()
