"""What the keys of one member or one project may use together."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Caps:
    """Upper bounds, each None where there is none; `nanousd_per_month` is of credits in a calendar month of UTC."""

    requests_per_minute: int | None = None
    concurrent_requests: int | None = None
    tokens_per_day: int | None = None
    nanousd_per_month: int | None = None


NAMES = tuple(field.name for field in fields(Caps))


def of_row(row: Any) -> Caps:
    """The caps in a row that has a column for each."""
    return Caps(*(getattr(row, name) for name in NAMES))
