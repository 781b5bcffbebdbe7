"""Numbers and days out of addresses: one reading of each, which never leaves what a database column can hold."""

from __future__ import annotations

from datetime import date, datetime

from flask import request

# Numbers of rows, and days with room for sums with a year on either side.
LARGEST_ROW_ID = 2**63 - 1
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)


def row_id(name: str) -> int | None:
    """The number of a row in a query; None where there is none, or no row can have it."""
    return as_row_id(request.args.get(name, ""))


def as_row_id(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_ROW_ID))):
        return None
    number = int(text)
    return number if 0 < number <= LARGEST_ROW_ID else None


def day(name: str, default: date) -> date:
    """The day in a query, such as 2026-01-31; `default` where there is none, or one beyond all reason."""
    return as_day(request.args.get(name, "")) or default


def as_day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if FIRST_DAY <= found <= LAST_DAY else None


def moment(text: str) -> datetime | None:
    """A time with its zone, such as 2026-01-31T12:00:00+00:00; None for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo and FIRST_DAY <= found.date() <= LAST_DAY else None
