"""The Ollamas that an operator added or changed while the server was running."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, UtcTime


class PoolHost(Base):
    """One Ollama. None in `slots` and `max_loaded` means what the settings say.

    A row whose name and URL are those of a host of the settings says in which state that one is.
    """

    __tablename__ = "pool_hosts"
    __table_args__ = (CheckConstraint("state IN ('active', 'draining', 'off')", name="state"),)

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    url: Mapped[str] = mapped_column(String(500))
    slots: Mapped[int | None] = mapped_column(BigInteger)
    max_loaded: Mapped[int | None] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
