"""From a key's header to `g.caller`. Cookies and query strings never authenticate a request to the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import g, request

from llmrack.errors import PermissionRefused
from llmrack.keys import authentication

from ..extensions import loaded_context

P = ParamSpec("P")
R = TypeVar("R")


def authenticate() -> None:
    """Raises AuthenticationFailed. Preflight requests carry no key, and need none."""
    environ = request.environ
    if environ["REQUEST_METHOD"] != "OPTIONS":
        context, secret = loaded_context(), _secret(environ)
        g.caller = authentication.resolve(
            context.store, context.plans, secret, datetime.now(UTC), environ.get("REMOTE_ADDR")
        )


# Where Anthropic's and Azure's clients put a key that OpenAI's put behind `Bearer`.
OTHER_HEADERS = ("x-api-key", "api-key")
_OTHER_NAMES = tuple("HTTP_" + name.upper().replace("-", "_") for name in OTHER_HEADERS)


def _secret(environ: dict[str, Any]) -> str | None:
    """What follows `Bearer`, or the whole header when it is of another kind; else the value of one of the other
    headers; None when no header holds a key."""
    header: str | None = environ.get("HTTP_AUTHORIZATION")
    if header is None:
        other: str | None = next((environ[name].strip() for name in _OTHER_NAMES if name in environ), None)
        return other
    scheme, _, rest = header.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else header


def needs(permission: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuse keys without `permission` with 403."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            if permission not in g.caller.permissions:
                raise PermissionRefused(
                    f"This key lacks the permission '{permission}'. Use a key that has it, or make a new one."
                )
            return view(*args, **kwargs)

        return checked

    return decorate
