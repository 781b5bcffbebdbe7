"""A worker writes what it refused by itself, some seconds later."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

from server.background import BEAT_S

from .conftest import Rig


def test_a_worker_writes_its_refusals_at_its_next_beat(rig: Rig) -> None:
    answer = rig.answer("hi", n=2)
    assert answer.status == 400
    wanted = [(answer.headers["x-request-id"], 400, "unsupported_value", "n")]
    database = rig.server.settings["LLMRACK_DATABASE_URL"].removeprefix("sqlite:///")
    deadline = time.monotonic() + 2 * BEAT_S + 5
    rows: list[tuple[str, int, str, str | None]] = []
    while rows != wanted:
        assert time.monotonic() < deadline, rows
        time.sleep(0.1)
        with closing(sqlite3.connect(database)) as connection:
            rows = connection.execute("SELECT request_id, status, code, param FROM refusals").fetchall()
