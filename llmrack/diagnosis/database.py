"""The database: whether it answers, how fast, and whether its tables are those of this version."""

from __future__ import annotations

import contextlib
import sqlite3
import statistics
import time
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from ..errors import Unavailable
from ..settings import ROOT
from ..store.clock import SECOND_US, TOLERATED_S
from ..store.database import POOL_SIZE
from .findings import Finding, Installation, broken, ok, warning

PINGS, SLOW_MS = 20, 10.0
LARGEST_LOG_BYTES = 128 * 2**20
AWAY = "It cannot be asked while the database is away."
START_IT = "Start the database, or correct LLMRACK_DATABASE_URL."


def reachable(site: Installation) -> Finding:
    taken_ms = []
    try:
        for _ in range(PINGS):
            before = time.perf_counter()
            site.context.store.ping()
            taken_ms.append((time.perf_counter() - before) * 1000)
    except Unavailable:
        return broken("The database does not answer.", START_IT)
    median_ms = statistics.median(taken_ms)
    if median_ms > SLOW_MS:
        return warning(
            f"The database takes {median_ms:.1f} ms to answer the smallest question.", "Move it closer to this server."
        )
    return ok(f"The database answers in {median_ms:.1f} ms.")


def schema(site: Installation) -> Finding:
    scripts = ScriptDirectory(str(ROOT / "migrations"))
    try:
        with site.context.store.read() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
    except Unavailable:
        return broken(AWAY, START_IT)
    if found == scripts.get_current_head():
        return ok(f"The tables are those of this version, {found}.")
    if found is not None and found not in {script.revision for script in scripts.walk_revisions()}:
        return broken(
            f"Another version wrote this database: this one does not know {found}.",
            "Start the version that wrote it, or a newer one.",
        )
    return broken(f"The tables are of {found or 'no version'}, not of this one.", "Back up, then: flask db upgrade")


def integrity(site: Installation) -> Finding:
    if site.context.store.dialect != "sqlite":
        return ok("PostgreSQL checks its files itself.")
    path = Path(str(site.context.store.engine.url.database))
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        said = str(error)
    if said != "ok":
        return broken("The database's file is damaged.", "Stop the server and restore the database from a backup.")
    return ok("SQLite finds its file whole.")


def write_ahead_log(site: Installation) -> Finding:
    path = Path(f"{site.context.store.engine.url.database}-wal")
    if site.context.store.dialect != "sqlite" or not path.exists() or path.stat().st_size <= LARGEST_LOG_BYTES:
        return ok("No write-ahead log has grown too large.")
    return warning(
        f"SQLite's write-ahead log has {path.stat().st_size // 2**20} MB: a program keeps it from being emptied.",
        "End programs that keep the database open, such as a sqlite3 shell.",
    )


def connections(site: Installation) -> Finding:
    if site.context.store.dialect == "sqlite":
        return ok("SQLite has no limit of connections.")
    try:
        with site.context.store.read() as connection:
            most = int(connection.exec_driver_sql("SHOW max_connections").scalar_one())
    except Unavailable:
        return broken(AWAY, START_IT)
    # One pool more is for commands.
    needed = (site.context.settings.workers + 1) * POOL_SIZE
    if most < needed:
        return warning(
            f"PostgreSQL takes {most} connections; the workers and a command may open {needed}.",
            f"Set max_connections in postgresql.conf to {needed} or more, or LLMRACK_WORKERS lower.",
        )
    return ok(f"PostgreSQL takes {most} connections; {needed} may be opened.")


def clock(site: Installation) -> Finding:
    try:
        ahead_s = time.time() - site.context.store.time_us() / SECOND_US
    except Unavailable:
        return broken(AWAY, START_IT)
    if abs(ahead_s) > TOLERATED_S:
        return warning(
            f"This machine's clock and the database's differ by {abs(ahead_s):.0f} s.", "Set both clocks by NTP."
        )
    return ok("The clocks of this machine and of the database agree.")
