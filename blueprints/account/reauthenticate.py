"""The password again, before something that must not happen behind its owner's back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from llmrack.accounts import people, throttle

from ..extensions import context
from .web_session import viewer

WRONG = "This is not your password."


def is_proved(field: Any) -> bool:
    """Whether `field` holds the viewer's password; otherwise it gets an error. Tries are counted."""
    who = str(viewer().person_id)
    try:
        throttle.take(context.store, datetime.now(UTC), (throttle.PASSWORD_AGAIN, who))
    except throttle.TooMany as refusal:
        field.errors = [str(refusal)]
        return False
    if not people.has_password(context.store, viewer().person_id, field.data or ""):
        field.errors = [WRONG]
        return False
    throttle.forget(context.store, (throttle.PASSWORD_AGAIN, who))
    return True
