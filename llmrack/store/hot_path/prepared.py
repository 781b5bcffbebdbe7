"""Core statements compiled once for a driver and run on its own cursor: a third of the cost of a Core execution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql.base import Executable

_DIALECTS: dict[str, Dialect] = {
    # SQLite takes values by position in half the time it takes them by name.
    "sqlite": SQLiteDialect_pysqlite(paramstyle="qmark"),
    "postgresql": PGDialect_psycopg(paramstyle="pyformat"),  # type: ignore[no-untyped-call]
}


class PreparedStatement:
    """A Core statement with named binds. Values are given and returned as the columns store them: times in
    microseconds, days as text, booleans as 0 or 1 on SQLite.
    """

    __slots__ = ("_bound", "_core")

    def __init__(self, core: Executable) -> None:
        self._core = core
        self._bound: dict[str, Bound] = {}

    def bound(self, dialect: str) -> Bound:
        """The statement for one dialect."""
        found = self._bound.get(dialect)
        if found is None:
            compiled = self._core.compile(dialect=_DIALECTS[dialect])  # type: ignore[attr-defined]
            found = self._bound[dialect] = Bound(compiled)
        return found


class Bound:
    """A statement's text for one driver, and its values as that driver takes them."""

    __slots__ = ("_carried", "_order", "sql")

    def __init__(self, compiled: Any) -> None:
        self.sql = str(compiled)
        # What the statement itself carries, such as the 1 of `requests + 1`.
        self._carried = {name: value for name, value in compiled.params.items() if value is not None}
        self._order: list[str] | None = compiled.positiontup

    def values(self, given: dict[str, Any]) -> Any:
        """A dict by name, or a list where the driver goes by position."""
        named = {**self._carried, **given} if self._carried else given
        return named if self._order is None else [named[name] for name in self._order]


class Transaction:
    """What `Store.transaction` hands out: runs statements on one driver connection."""

    __slots__ = ("_connection", "_dialect", "can_lock")

    def __init__(self, connection: Any, dialect: str) -> None:
        self._connection = connection
        self._dialect = dialect
        self.can_lock = dialect == "postgresql"

    def _execute(self, statement: PreparedStatement, values: dict[str, Any]) -> Any:
        bound = statement.bound(self._dialect)
        return self._connection.execute(bound.sql, bound.values(values))

    def run(self, statement: PreparedStatement, values: dict[str, Any]) -> int:
        """The number of rows changed."""
        return int(self._execute(statement, values).rowcount)

    def one(self, statement: PreparedStatement, values: dict[str, Any]) -> Sequence[Any] | None:
        # All of them: SQLite refuses to commit while a RETURNING has not been read to its end.
        rows = self.all(statement, values)
        return rows[0] if rows else None

    def all(self, statement: PreparedStatement, values: dict[str, Any]) -> list[Sequence[Any]]:
        rows: list[Sequence[Any]] = self._execute(statement, values).fetchall()
        return rows
