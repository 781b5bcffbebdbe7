"""Failures in Anthropic's shape: its words are what programs act on."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ...errors import ApiError

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "invalid_request_error",
    413: "request_too_large",
    415: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
}
_COUNTS = re.compile(
    r"it has (\d+) tokens, the context holds (\d+)|at least (\d+) tokens, but the context of .* holds (\d+)"
)
# Repeating what one of these refused changes nothing, and agents repeat for minutes what they are not told not to.
_FINAL_STATUSES = frozenset({401, 402, 403})
_FINAL_CODES = frozenset({"tokens_per_day", "monthly_limit"})


def envelope(error: ApiError) -> bytes:
    """{"type": "error", "error": {"type", "message"}}."""
    return msgspec.json.encode({"type": "error", "error": body(error)})


def body(error: ApiError) -> dict[str, Any]:
    return {"type": _TYPES.get(error.status, "api_error"), "message": _message(error)}


def _message(error: ApiError) -> str:
    """The sentence begins with the field at fault, because this shape has no other place for it."""
    if error.code == "context_length_exceeded":
        found = _COUNTS.search(error.message)
        numbers = [number for number in found.groups() if number] if found else []
        # Claude Code makes its conversation shorter after exactly these words, and repeats the request after others.
        counts = f"{numbers[0]} tokens > {numbers[1]} maximum" if numbers else error.message
        return f"prompt is too long: {counts}"
    if error.param and error.param not in error.message:
        return f"{error.param}: {error.message}"
    return error.message


def is_final(error: ApiError) -> bool:
    """Whether it is useless to send the request again."""
    return error.status in _FINAL_STATUSES or error.code in _FINAL_CODES
