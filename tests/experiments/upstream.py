"""A model server that breaks in the middle of streams, and clients that leave at every moment."""

from __future__ import annotations

import random
import time
from typing import Any

import psutil

from tests.support.clients import Client

from .rig import Bench, Figures, at_once, last_event, percentile, pieces


def resets(rig: Bench, *, count: int = 1000, at_a_time: int = 25) -> Figures:
    """Upstream resets at a random piece: each ends in an error event and charges exactly what was delivered."""
    rng = random.Random(4)
    key = rig.key()
    at_once(at_a_time, lambda _: rig.chat(key, stream=True))
    time.sleep(1.0)
    before = _open_files(rig)
    charged = delivered = 0
    for start in range(0, count, at_a_time):
        prompts = [f"hi [[tokens:40]][[fault:rst_at_chunk:{rng.randrange(1, 39)}]]" for _ in range(at_a_time)]
        answers = at_once(
            min(at_a_time, count - start),
            lambda number, prompts=prompts: rig.chat(key, prompts[number], stream=True),
        )
        rows = rig.rows()
        for answer in answers:
            row = rows[answer.headers["x-request-id"]]
            assert (answer.status, last_event(answer), row.outcome) == (200, "error", "stream_error")
            assert row.counted_completion_tokens == pieces(answer)
            assert row.counted_prompt_tokens == 0
            charged += row.counted_completion_tokens
            delivered += pieces(answer)
    time.sleep(1.0)
    left = _open_files(rig) - before
    state = rig.ollama.state()
    assert rig.held() == 0
    assert left <= 2
    assert state["in_flight"] == 0
    rig.check_sums()
    return {
        "resets": count,
        "error events": count,
        "tokens delivered": delivered,
        "tokens charged": charged,
        "sockets left": max(0, left),
    }


def _open_files(rig: Bench) -> int:
    return sum(psutil.Process(pid).num_fds() for pid in rig.server.worker_pids())


# Where the client leaves: (the prompt's script, what it waits for, whether anything had been delivered).
MOMENTS = {
    "queue": ("[[hold:{tag}]]", "after:0.3", False),
    "connect": ("[[fault:accept_no_reply]]", "sent", False),
    "headers": ("[[fault:headers_then_stall]]", "after:0.3", False),
    "prompt": ("[[first:10]]", "after:0.6", False),
    "mid-stream": ("[[fault:never_ends]][[pace:0.05]]", "piece:4", True),
    "last piece": ("[[tokens:5]][[hold:{tag}]][[hold_at:5]]", "piece:5", True),
}


def leaving(rig: Bench, *, times: int = 50, at_a_time: int = 10) -> Figures:
    """A client leaves at six moments: the upstream connection closes within a second, and the outcome is right."""
    delays: list[float] = []
    key = rig.key()
    for moment in MOMENTS:
        for start in range(0, times, at_a_time):
            tags = [f"{moment[:4]}-{start + number}" for number in range(min(at_a_time, times - start))]
            delays += at_once(len(tags), lambda number, m=moment, tags=tags: _leave(rig, key, m, tags[number]))
    rig.wait_settled(5)
    wrong = [row for row in rig.rows().values() if not _is_right(row)]
    assert not wrong, wrong[:3]
    assert len(rig.rows()) == len(MOMENTS) * times
    assert rig.held() == 0
    rig.check_sums()
    p99 = percentile(delays, 0.99)
    assert p99 <= 1.0
    return {
        "left": len(delays),
        "outcomes right": len(delays),
        "closed after s, p99": round(p99, 2),
        "p50": _p50(delays),
    }


def _p50(values: list[float]) -> float:
    return round(percentile(values, 0.5), 2)


def _leave(rig: Bench, key: str, moment: str, tag: str) -> float:
    """Seconds from the client's leaving to the end of the connection to the model."""
    script, until, _ = MOMENTS[moment]
    client = rig.ask(key, f"hi [[tag:{tag}]]{script.format(tag=tag)}", stream=True, user=moment)
    _wait(client, until)
    rig.ollama.wait_until(lambda: rig.ollama.requests(tag))
    left_at = client.leave()
    record = rig.ollama.wait_for(tag, timeout_s=10, outcome="client_left")
    rig.ollama.release(tag)
    return max(0.0, float(record["client_left_at"]) - left_at)


def _wait(client: Client, until: str) -> None:
    name, _, argument = until.partition(":")
    if name == "piece":
        client.read_until(b'"content":"', int(argument))
    elif name == "after":
        time.sleep(float(argument))


def _is_right(row: Any) -> bool:
    has_delivered = MOMENTS[row.end_user][2]
    return row.outcome == "client_gone" and (row.counted_completion_tokens > 0) == has_delivered
