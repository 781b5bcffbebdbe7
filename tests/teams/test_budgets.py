"""What members and projects of a team may use holds exactly, on both databases and under a crowd."""

from __future__ import annotations

import pytest

from llmrack.errors import ApiError, InsufficientCredits, RateLimited
from llmrack.keys import keys
from llmrack.keys.authentication import Caller
from llmrack.metering.meter import Settlement
from llmrack.plans import Plan
from llmrack.teams import teams
from tests.support import made
from tests.support.stores import Desk
from tests.support.team import ACTOR, Team
from tests.support.together import together


def refused(desk: Desk, caller: Caller, prompt: int = 1, output: int = 1) -> ApiError:
    with pytest.raises((RateLimited, InsufficientCredits)) as caught:
        desk.admit(caller, prompt, output)
    return caught.value


def test_all_keys_of_a_member_use_up_one_budget_and_the_refusal_names_it(desk: Desk, team: Team) -> None:
    team.cap_bob(tokens_per_day=100)
    first, second, ada = team.caller(team.bob), team.caller(team.bob), team.caller(team.ada)
    desk.spend(first, 50, 30)
    desk.spend(second, 10, 10)
    error = refused(desk, second)
    assert (error.code, error.status) == ("tokens_per_day", 429)
    assert "Your own daily budget in this team of 100 tokens is used up" in error.message
    desk.admit(ada, 100, 100)
    desk.check_sums()


def test_a_project_has_a_budget_beside_the_members(desk: Desk, team: Team) -> None:
    project = team.project(tokens_per_day=100)
    bob, ada = team.caller(team.bob, project), team.caller(team.ada, project)
    desk.spend(bob, 60, 20)
    desk.spend(ada, 10, 10)
    assert "This project's daily budget of 100 tokens" in refused(desk, ada).message
    desk.admit(team.caller(team.ada), 100, 100)


def test_the_tightest_budget_is_the_one_that_is_told(desk: Desk, team: Team) -> None:
    team.cap_bob(tokens_per_day=500)
    caller = team.caller(team.bob, team.project(tokens_per_day=200))
    desk.spend(caller, 50, 50)
    state = desk.meter.limits(caller)
    assert state is not None
    assert (state.scope, state.limit, state.remaining) == ("project", 200, 100)


def test_a_member_has_as_many_requests_at_a_time_as_the_cap_says(desk: Desk, team: Team) -> None:
    team.cap_bob(concurrent_requests=2)
    bob = team.caller(team.bob)
    first = desk.admit(bob)
    desk.admit(team.caller(team.bob))
    error = refused(desk, bob)
    assert error.code == "concurrent_requests"
    assert "your own limit in this team" in error.message
    desk.admit(team.caller(team.ada))
    desk.meter.settle(first, Settlement("completed", 1, 1))
    desk.admit(bob)


def test_dollars_of_a_month_are_capped_for_a_member(desk: Desk, team: Team) -> None:
    payg = next(plan for plan in desk.plans if plan.is_prepaid)
    made.put_on(desk.store, "Acme", payg)
    made.credit(desk.store, "Acme", 10**9)
    caller = team.caller(team.bob)
    price = desk.admission(caller).model
    team.cap_bob(nanousd_per_month=100 * price.input_nanousd)
    caller = team.caller(team.bob)
    desk.spend(caller, 90, 0)
    error = refused(desk, caller, 20, 0)
    assert error.code == "monthly_limit"
    assert "your own limit of" in error.message
    desk.spend(team.caller(team.ada), 20, 0)
    desk.check_sums()


@pytest.mark.parametrize("level", ["member", "project", "team", "key"])
def test_a_crowd_cannot_overshoot_any_level(desk: Desk, team: Team, level: str) -> None:
    """50 at once want 10 tokens each of 200: exactly 20 get them."""
    budget, project, restrictions = 200, None, keys.NO_RESTRICTIONS
    if level == "member":
        team.cap_bob(tokens_per_day=budget)
    elif level == "project":
        project = team.project(tokens_per_day=budget)
    elif level == "key":
        restrictions = keys.Restrictions(tokens_per_day=budget)
    caller = team.resolve(team.secret(team.bob, project, restrictions=restrictions))
    plan = roomy(caller.plan, budget if level == "team" else 10**6)
    caller = Caller(**{**caller.__dict__, "plan": plan})

    def is_let_in(_: int) -> bool:
        try:
            desk.admit(caller, 5, 5)
        except RateLimited:
            return False
        return True

    assert sum(together(50, is_let_in)) == 20
    held = sum(day.held_tokens for day in desk.days())
    assert held == budget
    desk.check_sums()


def roomy(plan: Plan, tokens_per_day: int) -> Plan:
    own = {"tokens_per_day": tokens_per_day, "tokens_per_minute": None, "concurrent_requests": 1000}
    return Plan(**{**plan.__dict__, **own})


def test_an_answer_that_grows_keeps_to_the_members_budget(desk: Desk, team: Team) -> None:
    team.cap_bob(tokens_per_day=1000)
    caller = team.caller(team.bob)
    admission = desk.admission(caller, 100, 5000, can_grow=True)
    grant = desk.meter.admit(admission)
    assert grant.output_tokens < 5000
    grown = desk.meter.grow(admission, grant, 100, 5000)
    assert grown.output_tokens == 900
    assert refused(desk, caller).code == "tokens_per_day"


def test_a_key_may_use_what_its_team_its_project_and_itself_allow_alike(desk: Desk, team: Team) -> None:
    store, now = desk.store, desk.clock()
    teams.change(
        store,
        team.id,
        now,
        actor=ACTOR,
        name="Acme",
        models=("phi-3-mini", "mistral-7b", "nomic-embed"),
        requires_second_factor=False,
    )
    project = team.project(models=("phi-3-mini", "mistral-7b", "qwen-2.5-7b"))
    narrow = keys.Restrictions(models=("mistral-7b", "qwen-2.5-7b"))
    assert team.caller(team.bob, project).models == {"phi-3-mini", "mistral-7b"}
    assert team.resolve(team.secret(team.bob, project, restrictions=narrow)).models == {"mistral-7b"}
    assert team.caller(team.bob).models == {"phi-3-mini", "mistral-7b", "nomic-embed"}
