"""The second port, by which a test scripts the server and reads what happened."""

from __future__ import annotations

import json
from typing import Any

from gevent import socket

from . import http
from .models import Model
from .scripts import from_json
from .server import Ollama
from .state import Settings

COMMANDS = {"state", "requests", "queue", "always", "define", "release", "settings", "context", "install", "remove"}
COMMANDS |= {"down", "up", "reset"}


class Control:
    def __init__(self, ollama: Ollama) -> None:
        self.ollama = ollama

    def serve(self, sock: socket.socket, _address: Any) -> None:
        reader = http.Reader(sock)
        while request := reader.next():
            status, answer = self._reply(request)
            data = http.encode(answer)
            head = http.head(status, {"Content-Type": http.JSON, "Content-Length": str(len(data))})
            sock.sendall(head + data)

    def _reply(self, request: http.Request) -> tuple[int, Any]:
        name = request.path.strip("/")
        try:
            if name not in COMMANDS:
                raise LookupError(f"no command {name!r}")
            body = json.loads(request.body) if request.body else {}
            return 200, getattr(self, name)(**body)
        except Exception as error:
            return 400, {"error": f"{type(error).__name__}: {error}"}

    def state(self) -> dict[str, Any]:
        """Counts, loads, what is in memory, and whether it is listening."""
        shelf = self.ollama.shelf
        return self.ollama.ledger.counts() | {
            "port": self.ollama.port,
            "loads": shelf.loads,
            "reloads": shelf.reloads,
            "loaded": [row["name"] for row in shelf.in_memory()],
            "queued_scripts": len(self.ollama.book.queued),
            "is_up": self.ollama.listener is not None,
        }

    def requests(self, tag: str | None = None, path: str | None = None) -> list[dict[str, Any]]:
        rows = list(self.ollama.ledger.requests)
        rows = [row for row in rows if tag is None or row.tag == tag]
        return [row.as_json() for row in rows if path is None or row.path == path]

    def queue(self, scripts: list[dict[str, Any]]) -> None:
        self.ollama.book.queued.extend(from_json(row) for row in scripts)

    def always(self, script: dict[str, Any]) -> None:
        self.ollama.book.always = from_json(script)

    def define(self, name: str, script: dict[str, Any]) -> None:
        self.ollama.book.named[name] = from_json(script)

    def release(self, name: str) -> None:
        self.ollama.gates[name].set()

    def settings(self, **values: Any) -> None:
        self.ollama.settings = Settings(**{**vars(self.ollama.settings), **values})
        self.ollama.slots.clear()

    def context(self, tokens: int) -> None:
        """The context given to models that are loaded from now on by requests that name none."""
        self.ollama.shelf.default_context = tokens

    def install(self, **values: Any) -> None:
        model = Model(**values)
        self.ollama.shelf.installed[model.name] = model

    def remove(self, name: str) -> None:
        self.ollama.shelf.installed.pop(name, None)
        self.ollama.shelf.loaded.pop(name, None)

    def down(self) -> None:
        self.ollama.down()

    def up(self) -> None:
        self.ollama.up()

    def reset(self) -> None:
        self.ollama.reset()
