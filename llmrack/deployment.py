"""Combinations of settings that would break a promise, refused before a server starts."""

from __future__ import annotations

from . import security_txt
from .settings import BadSetting, Settings

POSTGRESQL = "postgresql+psycopg://user:password@host/llmrack"
REDIS = "redis://127.0.0.1:6379/0"
REDIS_SCHEMES = ("redis://", "rediss://", "redis+unix://")


LOOPBACK = "127.0.0.0/8,::1/128"
_EVERY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound


def base_url(settings: Settings) -> str:
    """Where this server is, without a slash at the end: the public address, or its own on this machine."""
    if settings.public_url:
        return str(settings.public_url).rstrip("/")
    host = "127.0.0.1" if settings.host in _EVERY_ADDRESS else settings.host
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def check_deployment(settings: Settings) -> None:
    """Raises BadSetting with a sentence that says what to set."""
    _check_database(settings.database_url)
    if settings.operator_second_factor not in ("warn", "require"):
        given = settings.operator_second_factor
        raise BadSetting(f"LLMRACK_OPERATOR_SECOND_FACTOR={given!r} is not valid: it takes warn or require.")
    security_txt.contact(settings.security_contact)
    if settings.redis_url and not settings.redis_url.startswith(REDIS_SCHEMES):
        raise BadSetting(f"LLMRACK_REDIS_URL must start with {', '.join(REDIS_SCHEMES)}, such as {REDIS}.")
    if settings.workers < 1:
        raise BadSetting("LLMRACK_WORKERS must be at least 1.")
    if settings.workers > 1:
        _check_shared(settings)


def _check_database(url: str) -> None:
    scheme = url.partition("://")[0]
    if url and scheme not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise BadSetting(
            f"LLMRACK_DATABASE_URL starts with {scheme}://, which LLMRack does not work on. "
            f"Set it to {POSTGRESQL}, or to sqlite:////path/to/file.db, or leave it empty."
        )


def _check_shared(settings: Settings) -> None:
    workers = settings.workers
    if not settings.redis_url:
        raise BadSetting(
            f"LLMRACK_WORKERS={workers} without LLMRACK_REDIS_URL would allow {workers} times the requests per minute, "
            f"because each worker would count for itself. Set LLMRACK_REDIS_URL={REDIS}, or LLMRACK_WORKERS=1."
        )
    if not settings.database_url.startswith("postgresql"):
        raise BadSetting(
            f"LLMRACK_WORKERS={workers} needs PostgreSQL: processes that write one SQLite file wait for each other, "
            f"and before SQLite 3.51.3 can corrupt it. Set LLMRACK_DATABASE_URL={POSTGRESQL}, or LLMRACK_WORKERS=1."
        )
