"""Whether the database can be used at all, asked before a server starts: a sentence instead of a driver's traceback."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, event, exc
from sqlalchemy.engine import make_url

from ..errors import CannotStart

# How long a migration waits for another program's write.
MIGRATION_BUSY_MS = 10_000
# SQLite's words for what is wrong, and what to do about it.
_CURES = (
    ("readonly", "make it and its folder writable for this user"),
    ("unable to open", "make its folder, and the file in it, readable and writable for this user"),
    ("not a database", "restore it from a backup, or move it away to begin with an empty one"),
    ("malformed", "restore it from a backup, or move it away to begin with an empty one"),
    ("disk is full", "make room on its disk"),
)


def check_file(url: str) -> None:
    """Raises CannotStart for a SQLite file that cannot be read and written. Makes none, and asks no other database."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return
    path = Path(parsed.database)
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise _refusal(path, "unable to open its folder")
    if not path.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute("BEGIN IMMEDIATE")
            # A file that may only be read is found out by a write alone.
            connection.execute(f"PRAGMA user_version = {version}")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        # A program that writes at this moment is no reason to refuse.
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise _refusal(path, str(error)) from error


@contextlib.contextmanager
def explained(url: str) -> Iterator[None]:
    """Makes of what the database's driver raises inside the block a CannotStart with the cause and no values."""
    try:
        yield
    except (exc.DBAPIError, sqlite3.Error) as error:
        cause = str(getattr(error, "orig", None) or error).partition("\n")[0]
        parsed = make_url(url)
        where = parsed.database if parsed.get_backend_name() == "sqlite" else parsed.render_as_string()
        raise _refusal(where, cause) from error


@contextlib.contextmanager
def alterable(connection: Connection) -> Iterator[None]:
    """A connection on which a migration may change tables that others refer to: on SQLite it copies, drops and renames.

    There each migration is one transaction, so that one that fails changes nothing, and waits for other programs that
    write. References are not enforced meanwhile, because dropping a table would delete its rows first; they are checked
    at the end (https://www.sqlite.org/lang_altertable.html#otheralter). Raises CannotStart for one that leads nowhere.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    for pragma in ("foreign_keys = OFF", f"busy_timeout = {MIGRATION_BUSY_MS}"):
        connection.exec_driver_sql(f"PRAGMA {pragma}")
    connection.commit()
    event.listen(connection, "begin", _begin)
    try:
        yield
        if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
            raise CannotStart("rows of the database refer to rows that are not there. Restore it from a backup.")
    finally:
        connection.rollback()
        event.remove(connection, "begin", _begin)
        for pragma in ("foreign_keys = ON", "busy_timeout = 0"):
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        connection.commit()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _refusal(where: object, cause: str) -> CannotStart:
    cure = next((cure for words, cure in _CURES if words in cause), "")
    return CannotStart(f"the database {where} cannot be used ({cause.rstrip('.')}){f': {cure}' if cure else ''}.")
