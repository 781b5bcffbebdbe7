"""The tables of the people behind accounts: how they prove who they are, and what they were sent."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, RowId, UtcTime


class Login(Base):
    """How a person signs in to an account. Accounts made for keys alone have no such row.

    The secret of the second factor is not here: it is derived from the server's secret and `totp_nonce`.
    """

    __tablename__ = "logins"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, autoincrement=False)
    password_hash: Mapped[str] = mapped_column(String(200))
    password_changed_at: Mapped[datetime] = mapped_column(UtcTime)
    verified_at: Mapped[datetime | None] = mapped_column(UtcTime)
    is_operator: Mapped[bool] = mapped_column(default=False)
    display_name: Mapped[str | None] = mapped_column(String(100))
    wants_budget_mail: Mapped[bool] = mapped_column(default=True)
    totp_nonce: Mapped[str | None] = mapped_column(String(64))
    totp_confirmed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    totp_last_step: Mapped[int | None] = mapped_column(BigInteger)


class WebSession(Base):
    """A browser that is signed in. `token_sha256` is of the random token in its cookie; ending it deletes the row."""

    __tablename__ = "web_sessions"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    seen_at: Mapped[datetime] = mapped_column(UtcTime)
    proved_at: Mapped[datetime] = mapped_column(UtcTime)
    agent: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(String(64))
    # The team that this browser looks at; None is the person's own account.
    team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.account_id"))


class Link(Base):
    """A one-time link that was mailed. Only the hash of its token is kept."""

    __tablename__ = "links"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(16))
    email: Mapped[str] = mapped_column(String(254))
    browser_sha256: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime] = mapped_column(UtcTime)


class RecoveryCode(Base):
    """A code that stands in for the second factor once; using it deletes the row."""

    __tablename__ = "recovery_codes"

    code_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)


class Identity(Base):
    """Who a person is at an identity provider: issuer and subject, which never change. `email` is for people to read.

    `provider_id` is the row of sign_in.toml that was used last.
    """

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    provider_id: Mapped[str] = mapped_column(String(32))
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    email: Mapped[str | None] = mapped_column(String(254))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    used_at: Mapped[datetime] = mapped_column(UtcTime)


class DirectoryEntry(Base):
    """What a directory keeps about an account by SCIM: its own id for it, and whether it deleted the user."""

    __tablename__ = "directory_entries"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, autoincrement=False)
    external_id: Mapped[str | None] = mapped_column(String(255))
    deleted_at: Mapped[datetime | None] = mapped_column(UtcTime)


class Attempt(Base):
    """One try at something that is throttled. `bucket` says what and by whom, without naming a person."""

    __tablename__ = "attempts"
    __table_args__ = (Index(None, "bucket", "at"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    bucket: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime] = mapped_column(UtcTime, index=True)


class Notice(Base):
    """A mail that is sent at most once: the row is written before the mail goes out."""

    __tablename__ = "notices"
    __table_args__ = (UniqueConstraint("account_id", "kind", "day"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    kind: Mapped[str] = mapped_column(String(32))
    day: Mapped[str] = mapped_column(String(10))
    sent_at: Mapped[datetime] = mapped_column(UtcTime)
