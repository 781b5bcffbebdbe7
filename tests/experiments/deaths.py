"""Workers that are killed, reloaded and stopped in the middle of streams."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from .rig import Bench, Figures, at_once, finish, last_event, pieces

ENDLESS = "hi [[fault:never_ends]][[pace:0.05]]"
# A worker that dies loses what it delivered since its last checkpoint.
MOST_UNBILLED = 10


def kill_worker(rig: Bench, *, streams: int = 200, times: int = 5, for_real: bool = True) -> Figures:
    """kill -9 to one of two workers amid streams of 60 pieces. `for_real` waits for the surviving worker's sweeper."""
    worst, cut, waited_s = 0, 0, 0.0
    key = rig.key()
    for _ in range(times):
        answers = _streams_with_a_death(rig, key, streams)
        cut += sum(last_event(answer) == "cut" for answer in answers)
        assert {last_event(answer) for answer in answers} <= {"cut", "done"}
        waited_s = max(waited_s, _settle(rig, for_real))
        rows = rig.rows()
        for answer in answers:
            row = rows[answer.headers["x-request-id"]]
            unbilled = pieces(answer) - row.counted_completion_tokens
            assert unbilled <= (MOST_UNBILLED if last_event(answer) == "cut" else 0)
            # A stream is settled before its last bytes leave, so one that was cut there is booked as complete.
            ends = {"done": ("completed",), "cut": ("worker_died", "completed")}[last_event(answer)]
            assert row.outcome in ends, (row.outcome, last_event(answer), pieces(answer), row)
            worst = max(worst, unbilled)
        assert rig.held() == 0
        rig.check_sums()
        assert all(answer.status == 200 for answer in at_once(8, lambda _: rig.chat(key)))
    assert len(rig.rows()) == times * (streams + 8)
    return {
        "streams": streams * times,
        "cut": cut,
        "rows lost": 0,
        "double": 0,
        "most unbilled tokens a stream": worst,
        "holds left": 0,
        "seconds until settled": round(waited_s, 1),
    }


def kill_growing(rig: Bench, *, streams: int = 30, for_real: bool = True) -> Figures:
    """kill -9 to one of two workers amid streams that have grown twice: no hold is left, what was sent is billed."""
    key = rig.key("tight")
    prompt = "hi [[tokens:1400]][[pace:0.002]]"
    clients = at_once(streams, lambda _: rig.ask(key, prompt, stream=True))
    for client in clients:
        client.read_until(b"data: ", 1100)
    held = rig.held()
    os.kill(rig.server.worker_pids()[0], signal.SIGKILL)
    answers = at_once(streams, lambda number: finish(clients[number]))
    waited_s = _settle(rig, for_real)
    rows = rig.rows()
    unbilled = [pieces(answer) - rows[answer.headers["x-request-id"]].counted_completion_tokens for answer in answers]
    used = sum(row.counted_prompt_tokens + row.counted_completion_tokens for row in rows.values())
    # Pieces that were read together wait for one checkpoint.
    assert max(unbilled) <= 2 * MOST_UNBILLED
    assert held > streams * 1100
    assert used <= 60_000
    assert rig.held() == 0
    rig.check_sums()
    return {
        "streams": streams,
        "cut": sum(last_event(answer) == "cut" for answer in answers),
        "held before": held,
        "used of 60,000": used,
        "most unbilled tokens a stream": max(unbilled),
        "holds left": 0,
        "seconds until settled": round(waited_s, 1),
    }


def _streams_with_a_death(rig: Bench, key: str, streams: int) -> list[Any]:
    clients = at_once(streams, lambda _: rig.ask(key, "hi [[tokens:60]][[pace:0.05]]", stream=True, max_tokens=200))
    for client in clients:
        client.read_until(b"data: ", 3)
    os.kill(rig.server.worker_pids()[0], signal.SIGKILL)
    return at_once(streams, lambda number: finish(clients[number]))


def _settle(rig: Bench, for_real: bool) -> float:
    if for_real:
        return rig.wait_settled(30)
    rig.sweep_as_if_later()
    return rig.wait_settled(5)


def stop_server(rig: Bench, *, streams: int = 100, how: signal.Signals = signal.SIGTERM) -> Figures:
    """TERM or HUP with short and endless streams open: each is told how it ends, and nothing stays unsettled."""
    key = rig.key()
    short = "hi [[tokens:30]][[pace:0.05]]"
    clients = at_once(streams, lambda number: rig.ask(key, short if number % 2 else ENDLESS, stream=True))
    for client in clients:
        client.read_until(b"data: ", 2)
    started = time.monotonic()
    rig.server.signal(how)
    answers = at_once(streams, lambda number: finish(clients[number]))
    took_s = time.monotonic() - started
    ends = [last_event(answer) for answer in answers]
    assert "cut" not in ends
    rig.wait_settled(5)
    rows = rig.rows()
    for answer in answers:
        row = rows[answer.headers["x-request-id"]]
        assert row.outcome == {"done": "completed", "error": "server_shutdown"}[last_event(answer)]
        # A model counts its end as a token, which nobody can see.
        assert row.counted_completion_tokens - pieces(answer) == (last_event(answer) == "done")
    if how == signal.SIGHUP:
        assert rig.chat(key).status == 200
    return {
        "streams": streams,
        "[DONE]": ends.count("done"),
        "error event": ends.count("error"),
        "cut": 0,
        "unsettled": 0,
        "seconds": round(took_s, 1),
    }
