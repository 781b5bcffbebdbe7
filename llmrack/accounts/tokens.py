"""Random tokens that prove something to us: 256 bits in the hand of one person, a SHA-256 in the database."""

from __future__ import annotations

import hashlib
import secrets


def make() -> str:
    """43 characters that are safe in an address and in a cookie."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What the database keeps; any text is accepted, because it may come from anyone."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
