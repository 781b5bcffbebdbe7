"""Redis, which counts requests for all workers."""

from __future__ import annotations

import redis

from .findings import Finding, Installation, broken, ok, warning

TIMEOUT_S = 3.0


def policy(site: Installation) -> Finding:
    """Reachable, and told to keep what it holds."""
    url = site.context.settings.redis_url
    if not url:
        return ok("No Redis is set: the one worker counts requests itself.")
    try:
        with redis.Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S) as client:
            found = client.info("memory").get("maxmemory_policy", "")
    except redis.RedisError:
        return broken("Redis does not answer.", "Start Redis, or correct LLMRACK_REDIS_URL.")
    if found != "noeviction":
        return warning(
            f"Redis may drop counts of requests when its memory is full: its policy is {found}.",
            "redis-cli CONFIG SET maxmemory-policy noeviction, and the same in redis.conf.",
        )
    return ok("Redis answers and drops nothing.")
