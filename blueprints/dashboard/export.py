"""What exported files have in common."""

from __future__ import annotations

from typing import Any


def harmless(value: Any) -> Any:
    """A name that starts like a formula would be run by a spreadsheet."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value
