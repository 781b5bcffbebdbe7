"""What pages for programs and for this machine ask of a request: a bearer token, or that it comes from here."""

from __future__ import annotations

import hmac

from flask import request

from llmrack import outbox
from llmrack.deployment import LOOPBACK
from llmrack.keys import networks


def has_bearer(token: str) -> bool:
    """Whether the request carries this token; an empty one is carried by none."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    is_same = hmac.compare_digest(given.strip().encode(), token.encode())
    return bool(token) and scheme.lower() == "bearer" and is_same


def is_from_this_machine() -> bool:
    """Whether the connection begins here, with no proxy before us. A page of a browser may still have rebound its
    name: that is for the Host header to tell."""
    is_near = networks.holds(LOOPBACK, request.remote_addr)
    return is_near and not outbox.is_forwarded(name for name, _ in request.headers)
