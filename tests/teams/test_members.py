"""Who comes into a team and who goes, and what that does to their keys."""

from __future__ import annotations

from datetime import timedelta

import pytest

from llmrack.accounts import accounts, audit
from llmrack.errors import AuthenticationFailed
from llmrack.store.database import Store
from llmrack.teams import invites, projects, roles, teams
from llmrack.teams.caps import Caps
from llmrack.teams.teams import Refused
from tests.support import made
from tests.support.stores import Desk
from tests.support.team import ACTOR, Team
from tests.support.together import together


def role_of(store: Store, team: Team, person_id: int) -> str | None:
    found = {member.person_id: member.role for member in teams.members(store, team.id, team.desk.clock())}
    return found.get(person_id)


def test_a_member_who_leaves_leaves_no_working_key(desk: Desk, team: Team) -> None:
    secret, other = team.secret(team.bob), team.secret(team.ada)
    teams.remove(desk.store, team.id, team.bob, desk.clock(), actor="bob")
    with pytest.raises(AuthenticationFailed, match="revoked"):
        team.resolve(secret)
    assert team.resolve(other).account_id == team.id
    assert role_of(desk.store, team, team.bob) is None


def test_keys_of_a_disabled_person_are_refused_in_their_teams_too(desk: Desk, team: Team) -> None:
    secret = team.secret(team.bob)
    accounts.disable(desk.store, team.bob, "gone", desk.clock(), actor=ACTOR)
    with pytest.raises(AuthenticationFailed, match="person who made") as caught:
        team.resolve(secret)
    assert caught.value.code == "account_disabled"
    accounts.enable(desk.store, team.bob, desk.clock(), actor=ACTOR)
    assert team.resolve(secret).account_id == team.id


def test_a_role_without_keys_ends_the_members_keys(desk: Desk, team: Team) -> None:
    secret = team.secret(team.bob)
    now = desk.clock()
    teams.set_role(desk.store, team.id, team.bob, roles.VIEWER, now, actor=ACTOR, giver=roles.OWNER)
    with pytest.raises(AuthenticationFailed, match="revoked"):
        team.resolve(secret)


def test_the_last_owner_stays_also_when_two_go_at_once(desk: Desk, team: Team) -> None:
    store, now = desk.store, desk.clock()
    with pytest.raises(Refused, match="at least one owner"):
        teams.remove(store, team.id, team.ada, now, actor=ACTOR)
    teams.set_role(store, team.id, team.bob, roles.OWNER, now, actor=ACTOR, giver=roles.OWNER)

    def goes(number: int) -> bool:
        try:
            teams.remove(store, team.id, (team.ada, team.bob)[number], now, actor=ACTOR)
        except Refused:
            return False
        return True

    assert sorted(together(2, goes)) == [False, True]
    assert len(teams.members(store, team.id, now)) == 1


def test_only_an_owner_makes_and_unmakes_owners(desk: Desk, team: Team) -> None:
    store, now = desk.store, desk.clock()
    for role in (roles.OWNER, roles.ADMIN):
        if role == roles.OWNER:
            with pytest.raises(Refused):
                teams.set_role(store, team.id, team.bob, role, now, actor=ACTOR, giver=roles.ADMIN)
            with pytest.raises(Refused):
                invites.make(store, team.id, role, None, team.bob, now, actor=ACTOR, giver=roles.ADMIN)
    with pytest.raises(Refused):
        teams.remove(store, team.id, team.ada, now, actor=ACTOR, giver=roles.ADMIN)
    teams.set_role(store, team.id, team.bob, roles.ADMIN, now, actor=ACTOR, giver=roles.ADMIN)
    assert role_of(store, team, team.bob) == roles.ADMIN


def test_an_invite_works_once_for_one_of_many_who_use_it(desk: Desk, team: Team) -> None:
    store, now = desk.store, desk.clock()
    token = invites.make(store, team.id, roles.MEMBER, None, team.ada, now, actor=ACTOR, giver=roles.OWNER)
    people = [made.account(store, f"person{number}", now).id for number in range(10)]

    def joins(number: int) -> bool:
        return invites.accept(store, token, people[number], f"{number}@example.com", now, actor=ACTOR) is not None

    assert sum(together(10, joins)) == 1
    assert len(teams.members(store, team.id, now)) == 3
    assert invites.peek(store, token, now) is None


def test_an_invite_for_an_address_is_for_no_other_and_stays_open(desk: Desk, team: Team) -> None:
    store, now = desk.store, desk.clock()
    token = invites.make(store, team.id, roles.ADMIN, "eve@example.com", team.ada, now, actor=ACTOR, giver=roles.OWNER)
    eve = made.account(store, "eve", now).id
    with pytest.raises(Refused, match="eve@example.com"):
        invites.accept(store, token, eve, "mallory@example.com", now, actor=ACTOR)
    assert invites.accept(store, token, eve, "eve@example.com", now, actor=ACTOR) == team.id
    assert role_of(store, team, eve) == roles.ADMIN


def test_an_invite_ends_after_seven_days_and_when_it_is_taken_back(desk: Desk, team: Team) -> None:
    store, now = desk.store, desk.clock()
    token = invites.make(store, team.id, roles.MEMBER, None, team.ada, now, actor=ACTOR, giver=roles.OWNER)
    assert invites.peek(store, token, now + timedelta(days=7)) is None
    (found,) = invites.of_team(store, team.id, now)
    assert not invites.take_back(store, team.id + 1, found.id, now, actor=ACTOR)
    assert invites.take_back(store, team.id, found.id, now, actor=ACTOR)
    assert invites.peek(store, token, now) is None


def test_a_closed_project_refuses_its_keys_until_it_is_open_again(desk: Desk, team: Team) -> None:
    store, now = desk.store, desk.clock()
    project = projects.create(store, team.id, "chat", now, actor=ACTOR, models=None, caps=Caps())
    secret = team.secret(team.bob, project)
    projects.archive(store, team.id, project, now, actor=ACTOR)
    with pytest.raises(AuthenticationFailed, match="project of this API key is closed"):
        team.resolve(secret)
    projects.restore(store, team.id, project, now, actor=ACTOR)
    assert team.resolve(secret).account_id == team.id


def test_every_act_on_a_team_is_in_the_audit_log_of_the_team(desk: Desk, team: Team) -> None:
    store, now = desk.store, desk.clock()
    teams.set_caps(store, team.id, team.bob, Caps(tokens_per_day=5), now, actor="ada")
    teams.remove(store, team.id, team.bob, now, actor="ada")
    acts = [(act.actor, act.action) for act in audit.entries(store, account_id=team.id)]
    assert acts == [("ada", "team.remove"), ("ada", "team.caps"), (ACTOR, "team.create")]


@pytest.mark.parametrize("name", ["Acme", "ada@example.com"])
def test_a_team_has_a_name_of_its_own_that_is_no_address(desk: Desk, team: Team, name: str) -> None:
    with pytest.raises(Refused):
        teams.create(desk.store, name, team.bob, desk.clock(), actor=ACTOR)
