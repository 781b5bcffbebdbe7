"""Requests per minute and budgets under a crowd of requests at the same moment."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from .rig import Bench, Figures, at_once

WINDOW_S = 60
# A request is counted some milliseconds before the row that shows it here is written.
SLACK_S = 0.1
LONG = "[[tokens:500]] a long story"


def requests_per_minute(rig: Bench, *, crowd: int = 200, for_s: float = 0) -> Figures:
    """A crowd at a limit of 10 a minute, then bursts for `for_s`, which must cross the window's edge."""
    key = rig.key("free", "test")
    answers = at_once(crowd, lambda _: (rig.chat(key), time.time()))
    refused = [(answer, at) for answer, at in answers if answer.status == 429]
    assert len(refused) == crowd - 10
    free_at = min(row.created_at for row in rig.rows().values()).timestamp() + WINDOW_S
    off = max(abs(at + int(answer.headers["retry-after"]) - free_at) for answer, at in refused)
    assert off <= 1 + SLACK_S
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        at_once(8, lambda _: rig.chat(key))
    admitted = sorted(row.created_at for row in rig.rows().values())
    most = max(_within(admitted, start) for start in admitted)
    assert most == 10
    rig.check_sums()
    return {
        "asked at once": crowd,
        "accepted": 10,
        "most in any 60 s": most,
        "accepted in all": len(admitted),
        "Retry-After off by at most s": round(off, 1),
    }


def _within(times: list[datetime], start: datetime) -> int:
    end = start + timedelta(seconds=WINDOW_S - SLACK_S)
    return sum(start <= at < end for at in times)


def budget(rig: Bench, *, crowd: int = 200) -> Figures:
    """A crowd with 1,000 tokens of the day left, each wanting many: the model must never be asked for more."""
    key = rig.key("thousand")
    answers = at_once(crowd, lambda _: rig.chat(key, LONG, max_tokens=60))
    seconds_left = _seconds_to_midnight()
    accepted = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 429]
    assert len(accepted) + len(refused) == crowd
    used = sum(answer.json()["usage"]["total_tokens"] for answer in accepted)
    generated = sum(record["counted"].get("eval_count") or 0 for record in rig.ollama.requests(path="/api/chat"))
    assert used <= 1000
    assert generated <= 1000
    rig.check_sums()
    _drain(rig, key)
    last = rig.chat(key, LONG, max_tokens=60)
    assert last.status == 429
    assert last.headers["x-should-retry"] == "false"
    off = abs(int(last.headers["retry-after"]) - _seconds_to_midnight())
    assert off <= 1
    assert all(int(answer.headers["retry-after"]) in (2, *_around(seconds_left)) for answer in refused)
    return {"asked at once": crowd, "accepted": len(accepted), "used of 1,000": used, "overshoot": max(0, used - 1000)}


def _drain(rig: Bench, key: str) -> None:
    """Use up the rest."""
    for _ in range(200):
        if rig.chat(key, LONG, max_tokens=60).status == 429:
            return
    raise AssertionError("the budget never ends")


def _around(seconds: int) -> range:
    return range(seconds - 10, seconds + 30)


def _seconds_to_midnight() -> int:
    now = datetime.now(UTC)
    return int((datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1) - now).total_seconds()) + 1
