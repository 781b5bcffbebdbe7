"""Requests per minute, and what every answer says about the limits of its caller."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, request
from flask_limiter import Limiter
from limits import RateLimitItem, RateLimitItemPerMinute, WindowStats
from limits.errors import StorageError

from llmrack.errors import RateLimited, Unavailable
from llmrack.keys.authentication import Caller
from llmrack.metering.limits import LimitState

from ..extensions import context
from ..web.rate_limit_storage import WorkerStorage

log = logging.getLogger(__name__)

# Counters in memory are exact for one worker; Redis is for several. Without either a request is refused: Flask-Limiter
# can also let everything pass or count in memory meanwhile, and both hand out more than was sold.
limiter = Limiter(key_func=lambda: "", strategy="moving-window", swallow_errors=False, in_memory_fallback_enabled=False)

REDIS_TIMEOUT_S = 1.0
# Each call takes well under a millisecond, so a few connections serve every request of a worker.
REDIS_CONNECTIONS = 32
RETRY_AFTER_S = 1

Headers = tuple[tuple[str, str], ...]
_T = TypeVar("_T")
_View = TypeVar("_View", bound=Callable[..., Any])
ASKS_NO_MODEL = "asks_no_model"
_at_once = threading.BoundedSemaphore(REDIS_CONNECTIONS)


def init_app(app: Flask, redis_url: str) -> None:
    """Count in Redis, or in this process when there is no URL."""
    options = {"socket_timeout": REDIS_TIMEOUT_S, "socket_connect_timeout": REDIS_TIMEOUT_S} if redis_url else {}
    app.config.update(
        RATELIMIT_STORAGE_URI=redis_url or f"{WorkerStorage.STORAGE_SCHEME[0]}://",
        RATELIMIT_STORAGE_OPTIONS={**options, "wrap_exceptions": True},
    )
    # Being in there already, it adds no hooks to every request: `check` asks its strategy after authentication.
    app.extensions.setdefault("limiter", set()).add(limiter)
    limiter.init_app(app)


def check() -> None:
    """Count this request against its account, and against its key where that has a limit of its own.

    Runs after authentication. Raises RateLimited, or Unavailable when Redis cannot be reached.
    """
    caller: Caller | None = g.get("caller")
    if caller is None:
        return
    view = current_app.view_functions.get(request.endpoint or "")
    if request.method != "POST" or hasattr(view, ASKS_NO_MODEL):
        check_read()
        return
    for whose, limit, who in _own_limits(caller):
        _hit(_per_minute(limit), who, f"{whose} own {limit} requests a minute")
    limit, noun = caller.plan_requests_per_minute, "requests" if caller.is_live else "test requests"
    _hit(_per_minute(limit), _account(caller), f"The {limit} {noun} a minute of this plan")


def asks_no_model(view: _View) -> _View:
    """Counts a POST as a read: agents count tokens thirty times in a second."""
    setattr(view, ASKS_NO_MODEL, True)
    return view


def _own_limits(caller: Caller) -> Iterator[tuple[str, int, str]]:
    """The limits below the account's: (whose, requests a minute, name of its counter), the narrowest first."""
    if caller.requests_per_minute is not None:
        yield "This key's", caller.requests_per_minute, f"key:{caller.key_id}"
    for cap in reversed(caller.caps):
        if cap.requests_per_minute is not None and caller.is_live:
            whose = "This project's" if cap.scope == "project" else "Your"
            yield whose, cap.requests_per_minute, f"{cap.scope}:{caller.account_id}:{cap.id}"


def check_read() -> None:
    """Count a request that asks no model. Raises as `check` does."""
    caller: Caller | None = g.get("caller")
    if caller is not None:
        limit = caller.plan.reads_per_minute
        _hit(_per_minute(limit), f"reads:{_account(caller)}", f"The {limit} reads a minute of this plan")


def _account(caller: Caller) -> str:
    """Test requests have a window of their own, so that they never cost a live one."""
    return f"{caller.mode}:{caller.account_id}"


@functools.cache
def _per_minute(amount: int) -> RateLimitItem:
    return RateLimitItemPerMinute(amount, namespace="llmrack")


def _hit(item: RateLimitItem, who: str, limit: str) -> None:
    if _ask(lambda: limiter.limiter.hit(item, who)):
        return
    wait_s = max(1, math.ceil(_stats(item, who).reset_time - time.time()))
    raise RateLimited(f"{limit} are used up. Retry in {wait_s} s.", code="requests_per_minute", retry_after_s=wait_s)


def _stats(item: RateLimitItem, who: str) -> WindowStats:
    return _ask(lambda: limiter.limiter.get_window_stats(item, who))


def _ask(question: Callable[[], _T]) -> _T:
    # Counting in this process waits for nothing, so a crowd must not wait for its turn either.
    takes_turns = not isinstance(limiter.storage, WorkerStorage)
    if takes_turns and not _at_once.acquire(timeout=REDIS_TIMEOUT_S):
        raise _unavailable()
    try:
        return question()
    except StorageError as exc:
        log.error("the request counters failed: %s", exc)
        raise _unavailable() from exc
    finally:
        if takes_turns:
            _at_once.release()


def _unavailable() -> Unavailable:
    return Unavailable(
        "The request counters cannot be reached at the moment. Retry is safe.", retry_after_s=RETRY_AFTER_S
    )


def apply(response: Response) -> Response:
    """Say what the caller's limits are and what is left: in the short form, and in the one OpenAI's clients read.

    Without a caller there is no account whose limits could be told, and without its store nothing is known.
    """
    caller: Caller | None = g.get("caller")
    if caller is None or response.status_code == Unavailable.status:
        return response
    with contextlib.suppress(Unavailable):
        # One pass: setting them one by one would look through all the others each time.
        state = _token_limits(caller)
        headers = (*_requests_headers(caller), *_tokens_headers(state))
        if request.path.startswith("/v1/messages"):
            headers += _anthropic(dict(headers), state)
        response.headers.extend(headers)
    return response


def _anthropic(known: dict[str, str], state: LimitState | None) -> Headers:
    """The same in the words of Anthropic's clients, which read a reset as a time."""
    resets = {"requests": int(known["X-RateLimit-Reset"])}
    if state is not None:
        resets["tokens"] = math.ceil(time.time() + state.reset_s)
    return tuple(
        (f"anthropic-ratelimit-{what}-{part}", value)
        for what, reset_at in resets.items()
        for part, value in (
            ("limit", known[f"x-ratelimit-limit-{what}"]),
            ("remaining", known[f"x-ratelimit-remaining-{what}"]),
            ("reset", datetime.fromtimestamp(reset_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")),
        )
    )


def request_windows(caller: Caller) -> list[tuple[str, int, int, int]]:
    """The limits on POSTs per minute: (scope, limit, remaining, seconds until one more is free). Raises Unavailable."""
    windows = [("account", _per_minute(caller.plan_requests_per_minute), _account(caller))]
    windows += [(who.split(":")[0], _per_minute(limit), who) for _, limit, who in _own_limits(caller)]
    return [(scope, item.amount, *_left(item, _stats(item, who))) for scope, item, who in windows]


def _left(item: RateLimitItem, stats: WindowStats) -> tuple[int, int]:
    """With nothing used there is nothing to wait for, and the storage tells any time."""
    remaining = max(0, stats.remaining)
    return remaining, max(0, math.ceil(stats.reset_time - time.time())) if remaining < item.amount else 0


def _requests_headers(caller: Caller) -> Headers:
    _, limit, remaining, reset_s = min(request_windows(caller), key=lambda window: window[2])
    return (
        ("X-RateLimit-Limit", str(limit)),
        ("x-ratelimit-limit-requests", str(limit)),
        ("X-RateLimit-Remaining", str(remaining)),
        ("x-ratelimit-remaining-requests", str(remaining)),
        ("X-RateLimit-Reset", str(math.ceil(time.time() + reset_s))),
        ("x-ratelimit-reset-requests", _duration(reset_s)),
    )


def _token_limits(caller: Caller) -> LimitState | None:
    """As the request's own admission or refusal found them; where there was neither, the database is asked."""
    state: LimitState | None = g.token_limits if "token_limits" in g else context.meter.limits(caller)
    return state


def _tokens_headers(state: LimitState | None) -> Headers:
    if state is None:
        return ()
    return (
        ("x-ratelimit-limit-tokens", str(state.limit)),
        ("x-ratelimit-remaining-tokens", str(state.remaining)),
        ("x-ratelimit-reset-tokens", _duration(state.reset_s)),
    )


def _duration(seconds: int) -> str:
    """OpenAI's form of a duration: 7h12m0s, 1m30s, 8s."""
    hours, rest = divmod(max(0, seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"
