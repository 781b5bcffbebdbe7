"""What a payment provider's message leads to: prepared before the transaction, run inside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection


@dataclass(frozen=True)
class PendingChange:
    """What to do in the transaction, prepared before it. `run` returns what was done, in words."""

    account_id: int | None
    run: Callable[[Connection], str]


def nothing(why: str, account_id: int | None = None) -> PendingChange:
    return PendingChange(account_id, lambda connection: why)
