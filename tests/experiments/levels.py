"""Budgets of a team's member, of a project, of the team and of a key, each under a crowd, and after a kill."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from llmrack import plans
from llmrack.keys import keys
from llmrack.teams import projects, teams
from llmrack.teams.caps import Caps
from tests.support import made

from .rig import Bench, Figures, at_once
from .windows import used

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
