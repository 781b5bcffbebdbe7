"""Core statements compiled once for a driver and run on its own cursor: a third of the cost of a Core execution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql.base import Executable

# Names instead of positions: a statement's values are one dict on both drivers.
_DIALECTS: dict[str, Dialect] = {
    "sqlite": SQLiteDialect_pysqlite(paramstyle="named"),
    "postgresql": PGDialect_psycopg(paramstyle="pyformat"),  # type: ignore[no-untyped-call]
}


class Statement:
    """A Core statement with named binds. Values are given and returned as the columns store them: times in
    microseconds, days as text, booleans as 0 or 1 on SQLite.
    """

    __slots__ = ("_compiled", "_core")

    def __init__(self, core: Executable) -> None:
        self._core = core
        self._compiled: dict[str, tuple[str, dict[str, Any]]] = {}

    def compile(self, dialect: str) -> tuple[str, dict[str, Any]]:
        """The text for one dialect, and the values that the statement itself carries."""
        if dialect not in self._compiled:
            compiled = self._core.compile(dialect=_DIALECTS[dialect])  # type: ignore[attr-defined]
            carried = {name: value for name, value in compiled.params.items() if value is not None}
            self._compiled[dialect] = (str(compiled), carried)
        return self._compiled[dialect]


class Transaction:
    """What `Store.transaction` hands out: runs statements on one driver connection."""

    __slots__ = ("_connection", "_dialect", "can_lock")

    def __init__(self, connection: Any, dialect: str) -> None:
        self._connection = connection
        self._dialect = dialect
        self.can_lock = dialect == "postgresql"

    def _execute(self, statement: Statement, values: dict[str, Any]) -> Any:
        sql, carried = statement.compile(self._dialect)
        return self._connection.execute(sql, {**carried, **values} if carried else values)

    def run(self, statement: Statement, values: dict[str, Any]) -> int:
        """The number of rows changed."""
        return int(self._execute(statement, values).rowcount)

    def one(self, statement: Statement, values: dict[str, Any]) -> Sequence[Any] | None:
        # All of them: SQLite refuses to commit while a RETURNING has not been read to its end.
        rows = self.all(statement, values)
        return rows[0] if rows else None

    def all(self, statement: Statement, values: dict[str, Any]) -> list[Sequence[Any]]:
        rows: list[Sequence[Any]] = self._execute(statement, values).fetchall()
        return rows
