"""Requests per minute and budgets under a crowd of requests at the same moment."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.support.clients import Answer

from .rig import Bench, Figures, at_once

WINDOW_S = 60
LONG = "[[tokens:500]] a long story"


@dataclass(frozen=True)
class Asked:
    """A request that was counted at some moment between these two."""

    sent_at: float
    received_at: float
    answer: Answer


def requests_per_minute(rig: Bench, *, crowd: int = 200, for_s: float = 0) -> Figures:
    """A crowd at a limit of 10 a minute, then bursts for `for_s`, which must cross the window's edge."""
    key = rig.key("free", "test")
    asked = at_once(crowd, lambda _: _ask(rig, key))
    accepted = [one for one in asked if one.answer.status == 200]
    refused = [one for one in asked if one.answer.status == 429]
    assert (len(accepted), len(refused)) == (10, crowd - 10)
    # The first of the ten was counted in this span, so one more is free a minute after a moment in it.
    earliest, latest = min(one.sent_at for one in accepted), min(one.received_at for one in accepted)
    for one in refused:
        free_at = one.received_at + int(one.answer.headers["retry-after"])
        assert earliest + WINDOW_S - 1 <= free_at <= latest + WINDOW_S + 1 + one.received_at - one.sent_at
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        accepted += [one for one in at_once(8, lambda _: _ask(rig, key)) if one.answer.status == 200]
    most = max(_surely_within(accepted, one.sent_at) for one in accepted)
    assert most == 10
    assert len(rig.rows()) == len(accepted)
    rig.check_sums()
    return {"asked at once": crowd, "accepted": 10, "most in any 60 s": most, "accepted in all": len(accepted)}


def _ask(rig: Bench, key: str) -> Asked:
    sent_at = time.time()
    answer = rig.chat(key)
    return Asked(sent_at, time.time(), answer)


def _surely_within(accepted: list[Asked], start: float) -> int:
    return sum(start <= one.sent_at and one.received_at < start + WINDOW_S for one in accepted)


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
