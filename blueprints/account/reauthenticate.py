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


def has_password() -> bool:
    """Whether the viewer signs in with a password at all; people who came by a provider may have none."""
    return people.get(context.store, viewer().person_id).password_hash != people.NO_PASSWORD


def is_proved_or_fresh(field: Any) -> bool:
    """`is_proved`; for a viewer without a password, whether they signed in a moment ago."""
    if has_password():
        return is_proved(field)
    if viewer().is_fresh(datetime.now(UTC)):
        return True
    field.errors = ["You signed in more than ten minutes ago. Sign out, sign in again, and repeat this."]
    return False
