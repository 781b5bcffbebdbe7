"""Projects: groups of a team's keys with a budget and models of their own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exc, func, insert, select, update

from ..accounts import audit
from ..store import locks
from ..store.database import Store
from ..store.tables.teams import Project
from ..store.tables.usage import Key
from . import caps as team_caps
from .caps import Caps
from .teams import NoSuchTeam, Refused

MOST = 200


@dataclass(frozen=True)
class ProjectFacts:
    """One project. `models` are the ids its keys may use, None all that the team's may; `keys` counts its keys."""

    id: int
    team_id: int
    name: str
    models: tuple[str, ...] | None
    is_archived: bool
    keys: int
    caps: Caps


def create(
    store: Store, team_id: int, name: str, now: datetime, *, actor: str, models: tuple[str, ...] | None, caps: Caps
) -> int:
    """A new project's id. Raises Refused for a name that the team has already."""
    values = {"team_id": team_id, "name": name, "models": _joined(models), "created_at": now, **vars(caps)}
    try:
        with store.write() as connection:
            locks.hold(connection, f"team:{team_id}")
            if connection.execute(select(func.count()).where(Project.team_id == team_id)).scalar_one() >= MOST:
                raise Refused(f"A team has at most {MOST} projects.")
            project_id = connection.execute(insert(Project).values(values).returning(Project.id)).scalar_one()
            audit.record(connection, audit.Act(actor, "project.create", team_id, f"project {project_id}, {name}"), now)
    except exc.IntegrityError as error:
        raise Refused("The team has a project of this name.") from error
    return int(project_id)


def change(
    store: Store,
    team_id: int,
    project_id: int,
    now: datetime,
    *,
    actor: str,
    name: str,
    models: tuple[str, ...] | None,
    caps: Caps,
) -> None:
    """Raises Refused for a name that the team has already, NoSuchTeam for a project it has not."""
    try:
        _update(
            store, team_id, project_id, {"name": name, "models": _joined(models), **vars(caps)}, "change", now, actor
        )
    except exc.IntegrityError as error:
        raise Refused("The team has a project of this name.") from error


def archive(store: Store, team_id: int, project_id: int, now: datetime, *, actor: str) -> None:
    """Refuse the project's keys until `restore`. Raises NoSuchTeam."""
    _update(store, team_id, project_id, {"archived_at": now}, "archive", now, actor)


def restore(store: Store, team_id: int, project_id: int, now: datetime, *, actor: str) -> None:
    """Undo `archive`. Raises NoSuchTeam."""
    _update(store, team_id, project_id, {"archived_at": None}, "restore", now, actor)


def _update(
    store: Store, team_id: int, project_id: int, values: dict[str, object], verb: str, now: datetime, actor: str
) -> None:
    with store.write() as connection:
        statement = update(Project).where(Project.id == project_id, Project.team_id == team_id).values(values)
        if not connection.execute(statement).rowcount:
            raise NoSuchTeam(f"Team {team_id} has no project {project_id}.")
        audit.record(connection, audit.Act(actor, f"project.{verb}", team_id, f"project {project_id}"), now)


def of_team(store: Store, team_id: int) -> list[ProjectFacts]:
    """The projects of a team by name, archived ones last."""
    return _select(store, Project.team_id == team_id)


def _select(store: Store, condition: ColumnElement[bool]) -> list[ProjectFacts]:
    keys = select(func.count()).where(Key.project_id == Project.id, Key.revoked_at.is_(None)).correlate(Project)
    statement = (
        select(Project.__table__, keys.scalar_subquery().label("keys"))
        .where(condition)
        .order_by(Project.archived_at.is_not(None), func.lower(Project.name))
    )
    with store.read() as connection:
        rows = connection.execute(statement).all()
    return [
        ProjectFacts(
            id=row.id,
            team_id=row.team_id,
            name=row.name,
            models=None if row.models is None else tuple(row.models.split(",")),
            is_archived=row.archived_at is not None,
            keys=row.keys,
            caps=team_caps.of_row(row),
        )
        for row in rows
    ]


def get(store: Store, team_id: int, project_id: int) -> ProjectFacts:
    """Raises NoSuchTeam."""
    found = _select(store, (Project.team_id == team_id) & (Project.id == project_id))
    if not found:
        raise NoSuchTeam(f"Team {team_id} has no project {project_id}.")
    return found[0]


def _joined(models: tuple[str, ...] | None) -> str | None:
    return None if models is None else ",".join(models)
