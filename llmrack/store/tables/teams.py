"""The tables of teams: who belongs to one, what each member and each project may use, and who was invited.

A team is an account without a person of its own: keys, limits, credits and usage belong to it as to any other.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, RowId, UtcTime


class _Caps:
    """What those keys may use together. None sets no limit of its own."""

    requests_per_minute: Mapped[int | None] = mapped_column(BigInteger)
    concurrent_requests: Mapped[int | None] = mapped_column(BigInteger)
    tokens_per_day: Mapped[int | None] = mapped_column(BigInteger)
    nanousd_per_month: Mapped[int | None] = mapped_column(BigInteger)


class Team(Base):
    """An account that is a team. `models` are the ids that its keys may use, joined by commas; None allows all."""

    __tablename__ = "teams"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, autoincrement=False)
    models: Mapped[str | None] = mapped_column(String)
    requires_second_factor: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class Member(_Caps, Base):
    """A person in a team, by the account that the person signs in to. The caps are of the keys this member made."""

    __tablename__ = "members"
    __table_args__ = (CheckConstraint("role IN ('owner', 'admin', 'member', 'billing', 'viewer')", name="role"),)

    team_id: Mapped[int] = mapped_column(ForeignKey("teams.account_id"), primary_key=True, autoincrement=False)
    person_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, autoincrement=False, index=True)
    role: Mapped[str] = mapped_column(String(16))
    joined_at: Mapped[datetime] = mapped_column(UtcTime)


class Project(_Caps, Base):
    """A group of a team's keys, with a budget and models of its own."""

    __tablename__ = "projects"
    __table_args__ = (UniqueConstraint("team_id", "name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.account_id"))
    name: Mapped[str] = mapped_column(String(100))
    models: Mapped[str | None] = mapped_column(String)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    archived_at: Mapped[datetime | None] = mapped_column(UtcTime)


class Invite(Base):
    """A link that makes one person a member. Only the hash of its token is kept; using it deletes the row.

    `email`, where it is given, is the only address that may use it.
    """

    __tablename__ = "invites"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.account_id"), index=True)
    role: Mapped[str] = mapped_column(String(16))
    email: Mapped[str | None] = mapped_column(String(254))
    made_by: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime] = mapped_column(UtcTime)
