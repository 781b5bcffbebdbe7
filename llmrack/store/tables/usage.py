"""The tables. Times are UTC, days are ISO dates of UTC, money is nano-dollars, durations are nanoseconds."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, RowId, UtcTime

OPEN, SETTLED = "open", "settled"
LIVE, TEST = "live", "test"


class Account(Base):
    """Who the limits and the bill belong to. Without a plan it follows the default one.

    From `plan_ends_at` on, `next_plan_id` takes the place of `plan_id`. `uses_credits` lets them pay for what the daily
    budget does not hold; `nanousd_per_month` is the most that may be taken from them in a calendar month.
    """

    __tablename__ = "accounts"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    plan_id: Mapped[str | None] = mapped_column(String(64))
    plan_ends_at: Mapped[datetime | None] = mapped_column(UtcTime)
    next_plan_id: Mapped[str | None] = mapped_column(String(64))
    uses_credits: Mapped[bool] = mapped_column(default=False, server_default=false())
    nanousd_per_month: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcTime)
    disabled_reason: Mapped[str | None] = mapped_column(String(500))


class Balance(Base):
    """An account's credits: what is left is paid - spent - held.

    Its row is also what PostgreSQL locks, so that one account's admissions are decided one after the other.
    """

    __tablename__ = "balances"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, autoincrement=False)
    paid_nanousd: Mapped[int] = mapped_column(BigInteger, default=0)
    spent_nanousd: Mapped[int] = mapped_column(BigInteger, default=0)
    held_nanousd: Mapped[int] = mapped_column(BigInteger, default=0)


class Key(Base):
    """An API key without its secret. None in a limit means the plan's, None in a list that anything is allowed.

    `permissions`, `models` (ids) and `addresses` (networks in CIDR form) are joined by commas. A team's key names the
    member who made it, and the project it is for; both stay as they are, so that what was used stays with them.
    """

    __tablename__ = "keys"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    mode: Mapped[str] = mapped_column(String(8))
    permissions: Mapped[str] = mapped_column(String(200))
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    prefix: Mapped[str] = mapped_column(String(16))
    last4: Mapped[str] = mapped_column(String(4))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcTime)
    revoked_reason: Mapped[str | None] = mapped_column(String(500))
    last_used_at: Mapped[datetime | None] = mapped_column(UtcTime)
    requests_per_minute: Mapped[int | None] = mapped_column(BigInteger)
    tokens_per_day: Mapped[int | None] = mapped_column(BigInteger)
    nanousd_per_month: Mapped[int | None] = mapped_column(BigInteger)
    models: Mapped[str | None] = mapped_column(String)
    addresses: Mapped[str | None] = mapped_column(String)
    paused_at: Mapped[datetime | None] = mapped_column(UtcTime)
    member_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id"), index=True)


class Usage(Base):
    """One request: written before its first byte, settled once. Every sum anywhere is a sum of these rows.

    `prompt_tokens` and `completion_tokens` are what was read and delivered, the `counted_` ones what the outcome lets
    count against budgets and the bill. `held_` is reserved until the row is settled.
    """

    __tablename__ = "usage"

    request_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    key_id: Mapped[int] = mapped_column(ForeignKey("keys.id"))
    mode: Mapped[str] = mapped_column(String(8))
    plan_id: Mapped[str] = mapped_column(String(64))
    model_id: Mapped[str] = mapped_column(String(100))
    endpoint: Mapped[str] = mapped_column(String(32))
    is_stream: Mapped[bool]
    is_prepaid: Mapped[bool]
    end_user: Mapped[str | None] = mapped_column(String)
    state: Mapped[str] = mapped_column(String(8))
    outcome: Mapped[str | None] = mapped_column(String(32))
    day: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcTime)
    owner: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime] = mapped_column(UtcTime)
    held_tokens: Mapped[int] = mapped_column(BigInteger)
    held_nanousd: Mapped[int] = mapped_column(BigInteger)
    prompt_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    completion_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    cached_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    counted_prompt_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    counted_completion_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    input_nanousd: Mapped[int] = mapped_column(BigInteger)
    output_nanousd: Mapped[int] = mapped_column(BigInteger)
    cost_nanousd: Mapped[int] = mapped_column(BigInteger, default=0)
    queue_ns: Mapped[int] = mapped_column(BigInteger, default=0)
    load_ns: Mapped[int] = mapped_column(BigInteger, default=0)
    prompt_ns: Mapped[int] = mapped_column(BigInteger, default=0)
    generation_ns: Mapped[int] = mapped_column(BigInteger, default=0)
    first_token_ns: Mapped[int] = mapped_column(BigInteger, default=0)
    total_ns: Mapped[int] = mapped_column(BigInteger, default=0)

    __table_args__ = (
        CheckConstraint("state IN ('open', 'settled')", name="state"),
        # The request log, the moving window of tokens, and pruning by account.
        Index(None, "account_id", "created_at"),
        Index(None, "day"),
        # Open rows are few: those an account is waiting for, and, to be looked through, those whose worker may have
        # died. An index of the times at which they expire would be written at every checkpoint.
        Index(
            "ix_usage_open",
            "account_id",
            "mode",
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )


class UsageDay(Base):
    """The sums of one account, mode, day, key and model, changed in the same transaction as the rows they sum.

    `requests`, tokens and cost are of settled rows (tokens: the counted ones), `held_tokens` of open ones.
    """

    __tablename__ = "usage_days"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, autoincrement=False)
    mode: Mapped[str] = mapped_column(String(8), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    key_id: Mapped[int] = mapped_column(ForeignKey("keys.id"), primary_key=True, autoincrement=False)
    model_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger, default=0)
    prompt_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    completion_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    held_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    cost_nanousd: Mapped[int] = mapped_column(BigInteger, default=0)
    prepaid_nanousd: Mapped[int] = mapped_column(BigInteger, default=0)


class Refusal(Base):
    """A request with a known key that was refused, listed. `endpoint` is a method and a path; no content is kept.

    See `metering.refusals`, which bounds how many rows a key has.
    """

    __tablename__ = "refusals"

    request_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    key_id: Mapped[int] = mapped_column(ForeignKey("keys.id"))
    mode: Mapped[str] = mapped_column(String(8))
    endpoint: Mapped[str] = mapped_column(String(100))
    status: Mapped[int] = mapped_column(BigInteger)
    code: Mapped[str] = mapped_column(String(64))
    param: Mapped[str | None] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(UtcTime, index=True)

    __table_args__ = (Index(None, "account_id", "created_at"),)


class RefusalHour(Base):
    """How many requests of one key were refused in one hour (hours since 1970 in UTC), listed or not."""

    __tablename__ = "refusal_hours"

    key_id: Mapped[int] = mapped_column(ForeignKey("keys.id"), primary_key=True, autoincrement=False)
    hour: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    mode: Mapped[str] = mapped_column(String(8))
    requests: Mapped[int] = mapped_column(BigInteger)
