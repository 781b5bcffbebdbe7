"""Rows that every request needs, remembered for as long as the database says that nothing has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Row = Sequence[Any] | None

# About a kilobyte each. Values that no row has are remembered too, apart, so that guesses push out nothing known.
KEPT_ROWS = 10_000
_UNKNOWN: Any = object()


class RowCache:
    """Answers `read(value)` from memory until `version()` differs from what it was before the row was read."""

    def __init__(self, read: Callable[[str], Row], version: Callable[[], object]) -> None:
        self._read = read
        self._version = version
        self._seen: object = None
        self._found: dict[str, Row] = {}
        self._missing: dict[str, Row] = {}

    def row(self, value: str) -> Row:
        """The row of `value`, or None. Raises what `read` and `version` raise."""
        version = self._version()
        if version != self._seen:
            self._found.clear()
            self._missing.clear()
            self._seen = version
        row = self._found.get(value, _UNKNOWN)
        if row is _UNKNOWN:
            row = self._missing.get(value, _UNKNOWN)
        return self._ask(value, version) if row is _UNKNOWN else row

    def _ask(self, value: str, version: object) -> Row:
        row = self._read(value)
        kept = self._missing if row is None else self._found
        # A change while the question was under way may or may not be in its answer.
        if self._seen == version == self._version():
            if len(kept) >= KEPT_ROWS:
                kept.clear()
            kept[value] = row
        return row
