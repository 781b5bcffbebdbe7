"""A team with an owner and a member, and short ways to make its keys."""

from __future__ import annotations

from typing import Any

from llmrack.keys import authentication, keys
from llmrack.keys.authentication import Caller
from llmrack.teams import projects, roles, teams
from llmrack.teams.caps import Caps
from tests.support import made
from tests.support.stores import Desk

ACTOR = "tests"


class Team:
    """A team of ada, the owner, and bob, on a plan of 10,000 tokens a day."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        now = desk.clock()
        self.ada = made.account(desk.store, "ada", now).id
        self.bob = made.account(desk.store, "bob", now).id
        self.id = teams.create(desk.store, "Acme", self.ada, now, actor=ACTOR)
        with desk.store.write() as connection:
            teams.add(connection, self.id, self.bob, roles.MEMBER, now)

    def secret(self, member_id: int, project_id: int | None = None, **more: Any) -> str:
        now, name = self.desk.clock(), "k"
        return keys.issue(
            self.desk.store,
            self.id,
            now,
            actor=ACTOR,
            name=name,
            mode="live",
            member_id=member_id,
            project_id=project_id,
            **more,
        ).secret

    def resolve(self, secret: str) -> Caller:
        return authentication.resolve(self.desk.store, self.desk.plans, secret, self.desk.clock())

    def caller(self, member_id: int, project_id: int | None = None) -> Caller:
        return self.resolve(self.secret(member_id, project_id))

    def cap_bob(self, **caps: int) -> None:
        teams.set_caps(self.desk.store, self.id, self.bob, Caps(**caps), self.desk.clock(), actor=ACTOR)

    def project(self, models: tuple[str, ...] | None = None, **caps: int) -> int:
        store, now = self.desk.store, self.desk.clock()
        return projects.create(store, self.id, "chat", now, actor=ACTOR, models=models, caps=Caps(**caps))
