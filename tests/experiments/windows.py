"""Requests per minute and budgets under a crowd of requests at the same moment, at every level of a team."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from llmrack import plans
from llmrack.keys import keys
from llmrack.teams import projects, teams
from llmrack.teams.caps import Caps
from tests.support import made
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
    key = rig.key("few", "test")
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


# So many more tokens than its text has does the scripted Ollama count of each prompt; a template adds the same to all
# prompts of its model, so each has a model of its own, of which the server has counted nothing when the crowd comes.
OVERS = {"as estimated": ("phi-3-mini", 0), "4 over": ("mistral-7b", 4), "200 over": ("llama-3.1-8b", 200)}


def counted_over(tokens: int, text: str = LONG) -> str:
    """A prompt of which the model server counts so many tokens more than its text has."""
    if not tokens:
        return text
    return f"[[usage:{json.dumps({'prompt_eval_count': 16 + tokens})}]]{text}"


def budget(rig: Bench, *, crowd: int = 300) -> Figures:
    """A crowd with 1,000 tokens of the day left, each wanting many, plain and streamed, whatever the prompts count."""
    figures: Figures = {"asked at once": crowd}
    for name, (model, over) in OVERS.items():
        rig.begin()
        figures[name] = _budget(rig, crowd, counted_over(over), model=model, max_tokens=60)
    return figures


def _budget(rig: Bench, crowd: int, prompt: str, **fields: Any) -> str:
    key = rig.key("thousand")
    answers = at_once(crowd, lambda number: rig.chat(key, prompt, stream=number % 2 == 0, **fields))
    seconds_left = _seconds_to_midnight()
    accepted = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 429]
    assert len(accepted) + len(refused) == crowd
    rig.wait_settled(10)
    at_once_used = used(rig)
    rig.check_sums()
    last = _drain(rig, key, prompt, **fields)
    assert last.status == 429
    assert last.headers["x-should-retry"] == "false"
    off = abs(int(last.headers["retry-after"]) - _seconds_to_midnight())
    assert off <= 1
    assert all(int(answer.headers["retry-after"]) in (2, *_around(seconds_left)) for answer in refused)
    # The prompt's count is all that may be missing of the last token.
    assert at_once_used <= used(rig) <= 1000
    assert rig.held() == 0
    return f"{len(accepted)} accepted, {at_once_used} then {used(rig)} of 1,000, overshoot {max(0, used(rig) - 1000)}"


def used(rig: Bench) -> int:
    return sum(row.counted_prompt_tokens + row.counted_completion_tokens for row in rig.rows().values())


def _drain(rig: Bench, key: str, prompt: str, **fields: Any) -> Answer:
    """Use up the rest; the first answer that is refused."""
    for _ in range(200):
        answer = rig.chat(key, prompt, **fields)
        if answer.status == 429:
            return answer
    raise AssertionError("the budget never ends")


def _around(seconds: int) -> range:
    return range(seconds - 10, seconds + 30)


def _seconds_to_midnight() -> int:
    now = datetime.now(UTC)
    return int((datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1) - now).total_seconds()) + 1


BUDGET_TOKENS = 1000
LEVELS = ("member", "project", "team", "key")


def at_every_level(rig: Bench, *, crowd: int = 200) -> Figures:
    """A crowd at each level's budget of 1,000 tokens, by several keys where the level has several."""
    figures: Figures = {"asked at once": crowd}
    for level in LEVELS:
        rig.begin()
        secrets = _keys(rig, level)
        answers = at_once(
            crowd, lambda number, secrets=secrets: rig.chat(secrets[number % len(secrets)], max_tokens=60)
        )
        accepted = sum(answer.status == 200 for answer in answers)
        assert accepted + sum(answer.status == 429 for answer in answers) == crowd
        rig.wait_settled(10)
        rig.check_sums()
        assert used(rig) <= BUDGET_TOKENS
        assert rig.held() == 0
        figures[level] = f"{accepted} accepted, {used(rig)} of {BUDGET_TOKENS:,}, overshoot 0"
    return figures


def after_a_kill(rig: Bench, *, crowd: int = 40) -> Figures:
    """A worker dies while a member's and a project's streams run: what they hold is settled, and no level went over."""
    rig.begin()
    secrets = _keys(rig, "member")
    streams = [
        rig.ask(secrets[number % len(secrets)], "[[tokens:400]] [[pace:20]] a story", stream=True, max_tokens=20)
        for number in range(crowd)
    ]
    time.sleep(1)
    rig.server.kill_worker()
    for stream in streams:
        with stream:
            pass
    swept = rig.sweep_as_if_later()
    rig.check_sums()
    assert used(rig) <= BUDGET_TOKENS
    assert rig.held() == 0
    return {"streams": crowd, "swept": swept, "used": f"{used(rig)} of {BUDGET_TOKENS:,}"}


def _keys(rig: Bench, level: str) -> list[str]:
    """Keys of a team whose `level` has the budget; of a member and a project there are several."""
    store, now = rig.store, datetime.now(UTC)
    known = plans.load(rig.folder / "instance" / "plans.toml")
    person = made.account(store, f"{rig.account}-person", now).id
    team = teams.create(store, rig.account, person, now, actor="experiments")
    made.put_on(store, rig.account, known.get("thousand" if level == "team" else "wide"))
    caps = Caps(tokens_per_day=BUDGET_TOKENS)
    project = None
    if level == "member":
        teams.set_caps(store, team, person, caps, now, actor="experiments")
    elif level == "project":
        project = projects.create(store, team, "one", now, actor="experiments", models=None, caps=caps)
    own = keys.Restrictions(tokens_per_day=BUDGET_TOKENS) if level == "key" else keys.NO_RESTRICTIONS
    return [
        keys.issue(
            store,
            team,
            now,
            actor="experiments",
            name="k",
            mode="live",
            member_id=person,
            project_id=project,
            restrictions=own,
        ).secret
        for _ in range(1 if level == "key" else 4)
    ]
