"""GET /v1/usage and GET /v1/requests/{id}: what the caller's account used, and the receipt of one request."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from flask import Blueprint, Response, g, request

from llmrack import money
from llmrack.errors import InvalidRequest, NotFound
from llmrack.keys.authentication import Caller
from llmrack.metering import limits, usage
from llmrack.metering.outcomes import OUTCOMES

from ..extensions import context
from ..web import params
from .auth import needs
from .rate_limits import request_windows
from .responses import json_reply

bp = Blueprint("usage", __name__)

DEFAULT_DAYS = 30


@bp.get("/usage")
@needs("usage")
def get_usage() -> Response:
    caller: Caller = g.caller
    now = datetime.now(UTC)
    last = _day("to", now.date())
    first = _day("from", last - timedelta(days=DEFAULT_DAYS - 1))
    if first > last:
        raise InvalidRequest("from must not be later than to.", param="from")
    days = usage.by_day(context.store, caller.account_id, caller.mode, first.isoformat(), last.isoformat())
    standing = context.meter.standing(caller)
    return json_reply(
        msgspec.json.encode(
            {
                "object": "usage",
                "mode": caller.mode,
                "plan": caller.plan.id,
                "from": first.isoformat(),
                "to": last.isoformat(),
                "total": _sums(days),
                "limits": _limits(caller, standing, now),
                "credits": _credits(standing) if caller.plan.is_prepaid else None,
                "data": [_day_row(day) for day in days],
            }
        )
    )


def _day(name: str, default: date) -> date:
    text = request.args.get(name)
    if text is None:
        return default
    found = params.as_day(text) if re.fullmatch(r"20\d\d-\d\d-\d\d", text, re.ASCII) else None
    if found is None:
        raise InvalidRequest(f"{name} must be a day such as 2026-01-31.", param=name)
    return found


def _sums(days: list[usage.DayUsage]) -> dict[str, Any]:
    return _amounts(
        sum(day.requests for day in days),
        sum(day.prompt_tokens for day in days),
        sum(day.completion_tokens for day in days),
        sum(day.cost_nanousd for day in days),
    )


def _day_row(day: usage.DayUsage) -> dict[str, Any]:
    amounts = _amounts(day.requests, day.prompt_tokens, day.completion_tokens, day.cost_nanousd)
    return {"day": day.day, "model": day.model_id, "key": {"id": day.key_id, "name": day.key_name}, **amounts}


def _amounts(requests: int, prompt_tokens: int, completion_tokens: int, cost_nanousd: int) -> dict[str, Any]:
    return {
        "requests": requests,
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        **_cost(cost_nanousd),
    }


def _cost(cost_nanousd: int) -> dict[str, Any]:
    return {"cost_nanousd": cost_nanousd, "cost_usd": f"{money.usd(cost_nanousd):f}"}


def _limits(caller: Caller, standing: limits.CurrentUsage, now: datetime) -> list[dict[str, Any]]:
    """Every limit of the account and of the key, with what is left of it."""
    rows = [
        {
            "name": "concurrent_requests",
            "scope": "account",
            "limit": caller.concurrent_requests,
            "remaining": max(0, caller.concurrent_requests - standing.open_requests),
            "reset_s": 0,
        }
    ]
    rows += [
        {"name": "requests_per_minute", "scope": scope, "limit": limit, "remaining": left, "reset_s": reset_s}
        for scope, limit, left, reset_s in request_windows(caller)
    ]
    rows += [
        {"name": row.name, "scope": row.scope, "limit": row.limit, "remaining": row.remaining, "reset_s": row.reset_s}
        for row in limits.states(caller, standing, now)
    ]
    return rows


def _credits(standing: limits.CurrentUsage) -> dict[str, Any]:
    left, held = standing.credit_nanousd - standing.held_nanousd, standing.held_nanousd
    return {
        "remaining_nanousd": left,
        "remaining_usd": f"{money.usd(left):f}",
        "held_nanousd": held,
        "held_usd": f"{money.usd(held):f}",
    }


@bp.get("/requests/<request_id>")
@needs("usage")
def get_request(request_id: str) -> Response:
    found = usage.receipt(context.store, g.caller.account_id, g.caller.mode, request_id)
    if found is None:
        raise NotFound(
            f"This account has no request '{request_id}'. Receipts are kept for a time only; sums by day stay.",
            param="id",
            code="request_not_found",
        )
    return json_reply(msgspec.json.encode(_receipt(found)))


def _receipt(row: usage.Receipt) -> dict[str, Any]:
    outcome = OUTCOMES.get(row.outcome or "")
    return {
        "id": row.request_id,
        "object": "request",
        "created": int(row.created_at.timestamp()),
        "mode": row.mode,
        "model": row.model_id,
        "endpoint": row.endpoint,
        "stream": row.is_stream,
        "user": row.end_user,
        "key": {"id": row.key_id, "name": row.key_name},
        "state": "settled" if row.settled_at else "open",
        "outcome": row.outcome,
        "meaning": outcome.meaning if outcome else None,
        "usage": {
            "prompt_tokens": row.prompt_tokens,
            "completion_tokens": row.completion_tokens,
            "total_tokens": row.prompt_tokens + row.completion_tokens,
            "cached_tokens": row.cached_tokens,
        },
        "times_ms": {
            name: round(nanoseconds / 1_000_000, 3)
            for name, nanoseconds in (
                ("queue", row.queue_ns),
                ("load", row.load_ns),
                ("prompt", row.prompt_ns),
                ("generation", row.generation_ns),
                ("first_token", row.first_token_ns),
                ("total", row.total_ns),
            )
        },
        "charge": {
            "prompt_tokens": row.counted_prompt_tokens,
            "completion_tokens": row.counted_completion_tokens,
            **_cost(row.cost_nanousd),
            "why": _why(row, outcome.why if outcome else None),
        },
    }


def _why(row: usage.Receipt, of_outcome: str | None) -> str:
    if row.mode == "test":
        return "Test mode is free."
    return of_outcome or "The request is still being answered."
