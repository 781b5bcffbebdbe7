"""Every check as a row; the command, and the documentation read them here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import database, ollama, redis, server
from .findings import BROKEN, Finding, Installation


@dataclass(frozen=True)
class Check:
    """`asks` says what is looked at, as a phrase."""

    id: str
    group: str
    look: Callable[[Installation], Finding]
    asks: str


CHECKS = (
    Check("public_url", "settings", server.public_url, "the public address is https in production"),
    Check("environment", "settings", server.environment, "a server with an https address runs as production"),
    Check("secret_key", "settings", server.secret_key, "the secret cannot be guessed"),
    Check("files", "settings", server.files, "other users cannot read the database and the secret"),
    Check("graceful_timeout", "settings", server.graceful_timeout, "open answers have time to end"),
    Check("database", "database", database.reachable, "the database answers, and soon"),
    Check("schema", "database", database.schema, "its tables are those of this version"),
    Check("integrity", "database", database.integrity, "SQLite's file is whole"),
    Check("write_ahead_log", "database", database.write_ahead_log, "SQLite's log is emptied"),
    Check("connections", "database", database.connections, "PostgreSQL takes the connections of all workers"),
    Check("clock", "database", database.clock, "the clocks of database and server agree"),
    Check("redis", "redis", redis.policy, "Redis answers, and drops no counts"),
    Check("ollama", "ollama", ollama.version, "each Ollama answers, and is new enough"),
    Check("models", "ollama", ollama.models, "the models that are offered are there"),
    Check("context", "ollama", ollama.context, "models in memory have the window that is promised"),
)


def run(site: Installation) -> list[tuple[Check, Finding]]:
    """Every check with what it found. Nothing is changed."""
    return [(check, check.look(site)) for check in CHECKS]


def is_broken(found: list[tuple[Check, Finding]]) -> bool:
    return any(finding.state == BROKEN for _, finding in found)
