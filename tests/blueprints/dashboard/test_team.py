"""Teams as their members meet them: every page by role, invites, keys, and leaving."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from flask import Flask

from blueprints.dashboard import rights
from llmrack.accounts import accounts
from llmrack.inference.context import AppContext
from llmrack.teams import roles, teams
from tests.support.visitor import Visitor, make_person

OWN = {"dashboard", "keys", "usage", "billing", "team"}


def made_team(member: Visitor, name: str) -> None:
    answer = member.post("/dashboard/teams", {"name": name}, page="/dashboard/teams")
    assert answer.status_code == 303, answer.text


def team_id(app: Flask, name: str) -> int:
    context: AppContext = app.extensions["llmrack"]
    return accounts.find(context.store, name).id


def joined(app: Flask, another: Callable[[], Visitor], name: str, role: str, number: int) -> Visitor:
    """A new person in the team, looking at it."""
    context: AppContext = app.extensions["llmrack"]
    email = f"{role}{number}-{team_id(app, name)}@example.com"
    person = make_person(app, email)
    with context.store.write() as connection:
        teams.add(connection, team_id(app, name), person, role, datetime.now(UTC))
    visitor = another()
    visitor.sign_in(email)
    shown = visitor.post("/dashboard/teams/show", {"team": str(team_id(app, name))}, page="/dashboard/teams")
    assert shown.status_code == 303
    return visitor


def test_every_page_of_an_account_says_which_right_it_demands(app: Flask) -> None:
    """A view that has no row is refused to members, so it would be seen here and nowhere else."""
    views = {rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint.split(".")[0] in OWN}
    by_blueprint = {view for view in views if view.split(".")[0] in rights.BLUEPRINT_RIGHTS}
    assert views - by_blueprint - {"dashboard.outbox"} == set(rights.RIGHTS)
    assert {*rights.RIGHTS.values(), *rights.BLUEPRINT_RIGHTS.values()} <= roles.ALL_RIGHTS


@pytest.mark.parametrize("role", list(roles.ROLES))
def test_a_role_opens_what_its_rights_say_and_nothing_else(
    app: Flask, member: Visitor, another: Callable[[], Visitor], role: str
) -> None:
    made_team(member, f"Walk {role}")
    visitor = joined(app, another, f"Walk {role}", role, 1)
    allowed, tried = roles.ROLES[role].rights, 0
    # Leaving comes last: it works for everybody but the last owner.
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.endpoint == "team.leave"):
        blueprint = rule.endpoint.split(".")[0]
        right = rights.BLUEPRINT_RIGHTS.get(blueprint) or rights.RIGHTS.get(rule.endpoint)
        if blueprint not in OWN or right is None:
            continue
        url = re.sub(r"<[^>]+>", "987654", rule.rule)
        for method in ("GET", "POST"):
            if method not in (rule.methods or ()):
                continue
            answer = visitor.get(url) if method == "GET" else visitor.post(url, {}, page="/dashboard")
            tried += 1
            assert answer.status_code < 500, (method, url)
            assert (answer.status_code == 403) == (right not in allowed), (role, method, url, answer.status_code)
    assert tried > 40


def test_the_pages_of_a_team_are_closed_to_everybody_else(
    app: Flask, member: Visitor, another: Callable[[], Visitor]
) -> None:
    made_team(member, "Closed")
    make_person(app, "outsider@example.com")
    stranger = another()
    stranger.sign_in("outsider@example.com")
    shown = stranger.post("/dashboard/teams/show", {"team": str(team_id(app, "Closed"))}, page="/dashboard/teams")
    assert shown.status_code == 404
    assert stranger.get("/dashboard/team").status_code == 303
    assert "Closed" not in stranger.get("/dashboard/teams").text


def test_a_stranger_comes_from_an_invite_to_a_key_of_the_team(
    app: Flask, member: Visitor, another: Callable[[], Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five pages: the invite, signing up, the invite again, the keys, the key. Signing up is closed to all others."""
    context: AppContext = app.extensions["llmrack"]
    made_team(member, "Invites")
    page = member.post("/dashboard/team/invites", {"role": "member"}, page="/dashboard/team")
    link = re.search(r'id="link"[^>]*>\s*https?://[^/]+(/invites/[^<]+)<', page.text)
    assert link is not None, page.text
    monkeypatch.setattr(context.settings, "signup", False)
    visitor = another()
    assert "does not take sign-ups" in visitor.get("/signup").text
    assert "Join Invites" in visitor.get(link[1]).text
    form = {"email": "invited@example.com", "password": "correct horse battery staple"}
    done = visitor.post("/signup", form, page="/signup")
    assert (done.status_code, done.location) == (303, link[1])
    done = visitor.post(link[1], {}, page=link[1])
    assert (done.status_code, done.location) == (303, "/dashboard")
    assert visitor.get(link[1]).status_code == 404
    secret = visitor.key(name="first", mode="test")
    answer = app.test_client().post(
        "/v1/chat/completions",
        json={"model": "phi-3-mini", "messages": [{"role": "user", "content": "hi"}]},
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert answer.status_code == 200
    assert "first" in member.get("/dashboard/keys").text
    member.post("/dashboard/teams/show", {"team": ""}, page="/dashboard/teams")
    assert "first" not in member.get("/dashboard/keys").text


def test_a_member_sees_and_changes_own_keys_only(app: Flask, member: Visitor, another: Callable[[], Visitor]) -> None:
    made_team(member, "Keys")
    member.key(name="of-the-owner")
    visitor = joined(app, another, "Keys", roles.MEMBER, 1)
    visitor.key(name="of-the-member")
    for page in ("/dashboard/keys", "/dashboard"):
        shown = visitor.get(page).text
        assert "of-the-owner" not in shown
        assert "of-the-member" in shown
    listed = member.get("/dashboard/keys").text
    assert "of-the-owner" in listed
    assert "of-the-member" in listed
    ids = {int(found) for found in re.findall(r"/dashboard/keys/(\d+)/revoke", listed)}
    seen = {int(found) for found in re.findall(r"/dashboard/keys/(\d+)/revoke", visitor.get("/dashboard/keys").text)}
    for key_id in ids - seen:
        assert visitor.get(f"/dashboard/keys/{key_id}").status_code == 404
        assert visitor.post(f"/dashboard/keys/{key_id}/revoke", {}, page="/dashboard/keys").status_code == 404


def test_a_member_who_is_taken_out_loses_the_pages_and_the_keys_at_once(
    app: Flask, member: Visitor, another: Callable[[], Visitor]
) -> None:
    made_team(member, "Leaving")
    visitor = joined(app, another, "Leaving", roles.ADMIN, 1)
    secret = visitor.key(name="k")
    page = member.get("/dashboard/team").text
    person = next(int(found) for found in re.findall(r"/dashboard/team/members/(\d+)", page)[::-1])
    assert member.post(f"/dashboard/team/members/{person}/remove", {}, page="/dashboard/team").status_code == 303
    answer = app.test_client().get("/v1/models", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 401
    assert visitor.get("/dashboard/team").status_code == 303
    assert "Leaving" not in visitor.get("/dashboard").text


def test_a_team_can_demand_a_second_factor(app: Flask, member: Visitor, another: Callable[[], Visitor]) -> None:
    context: AppContext = app.extensions["llmrack"]
    made_team(member, "Careful")
    visitor = joined(app, another, "Careful", roles.ADMIN, 1)
    refused = member.post(
        "/dashboard/team/settings",
        {"name": "Careful", "requires_second_factor": "y"},
        page="/dashboard/team/settings",
    )
    assert refused.status_code == 400
    assert "lock yourself out" in refused.text
    teams.change(
        context.store,
        team_id(app, "Careful"),
        datetime.now(UTC),
        actor="tests",
        name="Careful",
        models=None,
        requires_second_factor=True,
    )
    answer = visitor.get("/dashboard/keys")
    assert (answer.status_code, answer.location) == (303, "/dashboard/settings/second-factor")


def test_the_last_owner_deletes_the_team_before_their_account(app: Flask, member: Visitor) -> None:
    made_team(member, "Owned")
    secret = member.key(name="k")
    member.post("/dashboard/teams/show", {"team": ""}, page="/dashboard/teams")
    page = member.post(
        "/dashboard/settings/delete", {"proof": "correct horse battery staple"}, page="/dashboard/settings/delete"
    )
    assert page.status_code == 400
    assert "only owner of Owned" in page.text
    member.post("/dashboard/teams/show", {"team": str(team_id(app, "Owned"))}, page="/dashboard/teams")
    assert member.post("/dashboard/team/delete", {"name": "Other"}, page="/dashboard/team/delete").status_code == 400
    assert member.post("/dashboard/team/delete", {"name": "Owned"}, page="/dashboard/team/delete").status_code == 303
    answer = app.test_client().get("/v1/models", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 401


def test_a_projects_budget_is_set_on_its_page_and_told_to_its_keys(app: Flask, member: Visitor) -> None:
    made_team(member, "Projects")
    form = {"name": "Chat bot", "tokens_per_day": "7", "models": ["phi-3-mini"]}
    assert member.post("/dashboard/team/projects/new", form, page="/dashboard/team/projects/new").status_code == 303
    page = member.get("/dashboard/keys").text
    project = re.search(r'<option value="(\d+)">Chat bot', page)
    assert project is not None, page
    secret = member.key(name="k", mode="live", project=project[1])
    client, headers = app.test_client(), {"Authorization": f"Bearer {secret}"}
    listed = client.get("/v1/models", headers=headers)
    assert [model["id"] for model in listed.get_json()["data"]] == ["phi-3-mini"]
    assert listed.headers["x-ratelimit-limit-tokens"] == "7"
    usage = client.get("/v1/usage", headers=headers).get_json()
    assert "project" in {limit.get("scope") for limit in usage["limits"]}
    refused = client.post(
        "/v1/chat/completions",
        json={"model": "phi-3-mini", "messages": [{"role": "user", "content": "hi " * 50}]},
        headers=headers,
    )
    assert refused.status_code == 429
    assert "This project's daily budget of 7 tokens" in refused.get_json()["error"]["message"]
