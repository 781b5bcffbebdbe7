"""Notes the refusals of known keys for the log of their account."""

from __future__ import annotations

import functools
import re
import time
from typing import Any

from flask import Response, g, request

from llmrack.errors import ApiError
from llmrack.metering.refusals import Refused

from ..extensions import loaded_context

# `<path:model_id>` as the documentation writes it, `{model_id}`.
_PART = re.compile(r"<(?:\w+:)?(\w+)>")


def note(response: Response) -> Response:
    """After every answer. What failed on our side was admitted, so it has a receipt and is no refusal."""
    error: ApiError | None = g.pop("refusal", None)
    if error is not None and error.status < 500:
        key: Any = g.get("caller") or error.key
        if key is not None:
            method, rule = request.method, request.url_rule
            refused = Refused(
                request_id=g.request_id,
                account_id=key.account_id,
                key_id=key.key_id,
                mode=key.mode,
                endpoint=_served(method, rule.rule) if rule else _printable(f"{method} {request.path}"),
                status=error.status,
                code=error.code,
                param=_printable(error.param) if error.param else None,
                created_at=time.time_ns() // 1000,
            )
            loaded_context().refusals.note(refused)
    return response


@functools.cache
def _served(method: str, rule: str) -> str:
    """A client in a loop is refused thousands of times a minute, and routes are few."""
    path = _PART.sub(r"{\1}", rule)
    return _printable(f"{method} {path}")


def _printable(text: str) -> str:
    """Paths come from anyone; PostgreSQL stores no NUL, and a page shows no control characters."""
    return re.sub("[^ -~]", "?", text)[:100]
