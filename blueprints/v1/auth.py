"""From the bearer header to `g.caller`. Cookies and query strings never authenticate a request to the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from flask import g, request

from llmrack.errors import PermissionRefused
from llmrack.services import callers

from ..extensions import loaded_rack


def authenticate() -> None:
    """Raises AuthenticationFailed. Preflight requests carry no key, and need none."""
    environ = request.environ
    if environ["REQUEST_METHOD"] != "OPTIONS":
        rack, secret = loaded_rack(), _secret(environ.get("HTTP_AUTHORIZATION"))
        g.caller = callers.resolve(rack.store, rack.plans, secret, datetime.now(UTC), environ.get("REMOTE_ADDR"))


def _secret(header: str | None) -> str | None:
    """What follows `Bearer`; None when there is no such header at all; the whole header when it is of another kind."""
    if header is None:
        return None
    scheme, _, rest = header.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else header


def needs(permission: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Refuse keys without `permission` with 403."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            if permission not in g.caller.permissions:
                raise PermissionRefused(
                    f"This key lacks the permission '{permission}'. Use a key that has it, or make a new one."
                )
            return view(*args, **kwargs)

        return checked

    return decorate
