"""Combinations of settings that would break a promise, refused before a server starts."""

from __future__ import annotations

from .setting_values import separated
from .settings import POSTGRESQL, REDIS, BadSetting, Settings

LOOPBACK = "127.0.0.0/8,::1/128"
_EVERY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound


def base_url(settings: Settings) -> str:
    """Where this server is, without a slash at the end: the public address, or its own on this machine."""
    if settings.public_url:
        return str(settings.public_url).rstrip("/")
    host = "127.0.0.1" if settings.host in _EVERY_ADDRESS else settings.host
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def bind(settings: Settings) -> str:
    """Where the server listens, as gunicorn wants it."""
    return f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"


def check_deployment(settings: Settings) -> None:
    """Raises BadSetting with a sentence that says what to set."""
    if len(separated(settings.ollama_url)) > 1 and not settings.ollama_parallel:
        raise BadSetting(
            "LLMRACK_OLLAMA_URL names several Ollamas, so LLMRACK_OLLAMA_PARALLEL must say how many requests each"
            " answers at the same time: set it to what OLLAMA_NUM_PARALLEL is there, which is 1 unless it was set."
        )
    check_workers(settings, settings.workers)


def check_workers(settings: Settings, workers: int) -> None:
    """Whether so many processes may share these stores. Raises BadSetting."""
    if workers <= 1:
        return
    if settings.ollama_parallel:
        raise BadSetting(
            f"LLMRACK_WORKERS={workers} with LLMRACK_OLLAMA_PARALLEL would give each slot of an Ollama {workers} times,"
            " because each worker has a queue of its own: set LLMRACK_WORKERS=1, or leave LLMRACK_OLLAMA_PARALLEL out."
        )
    if not settings.redis_url:
        raise BadSetting(
            f"LLMRACK_WORKERS={workers} without LLMRACK_REDIS_URL would allow {workers} times the requests per minute, "
            f"because each worker would count for itself: set LLMRACK_REDIS_URL={REDIS}, or LLMRACK_WORKERS=1."
        )
    if not settings.database_url.startswith("postgresql"):
        raise BadSetting(
            f"LLMRACK_WORKERS={workers} needs PostgreSQL, because processes that write one SQLite file wait for each "
            f"other, and before SQLite 3.51.3 can corrupt it: set LLMRACK_DATABASE_URL={POSTGRESQL}, or "
            "LLMRACK_WORKERS=1."
        )
