"""Another program holds the SQLite file: each request waits five seconds from when it came, and no more."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from tests.support.clients import Client
from tests.support.fake_ollama import FakeOllama

from .conftest import Rig, start_rig

EVERY_S = 0.2
COUNT = 40
# The deadline is five seconds; the rest is a busy machine's.
PATIENCE_S = 7.0


def ask(rig: Rig, waits: list[tuple[float, int, str]]) -> None:
    began = time.monotonic()
    with Client(rig.server.url, timeout_s=60) as client:
        body = {"model": "phi-3-mini", "messages": [{"role": "user", "content": "hi"}]}
        client.ask("/v1/chat/completions", body, rig.live, {"Connection": "close"})
        answer = client.answer()
    waits.append((time.monotonic() - began, answer.status, answer.headers.get("retry-after", "")))


def test_who_comes_late_waits_no_longer_than_who_came_first(tmp_path: Path, fake_ollama: FakeOllama) -> None:
    rig = start_rig(tmp_path, fake_ollama)
    waits: list[tuple[float, int, str]] = []
    with rig.server:
        ask(rig, waits)
        assert waits.pop()[1] == 200
        path = rig.server.settings["LLMRACK_DATABASE_URL"].removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as other:
            other.execute("BEGIN IMMEDIATE")
            threads = [threading.Thread(target=ask, args=(rig, waits)) for _ in range(COUNT)]
            for thread in threads:
                thread.start()
                time.sleep(EVERY_S)
            for thread in threads:
                thread.join(60)
            other.execute("ROLLBACK")
        assert {(status, retry) for _, status, retry in waits} == {(503, "2")}
        assert len(waits) == COUNT
        assert max(waits)[0] < PATIENCE_S
        ask(rig, waits)
        assert waits.pop()[1] == 200
