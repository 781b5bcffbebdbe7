"""/.well-known/security.txt: where to report a weakness of this server (RFC 9116)."""

from __future__ import annotations

from datetime import datetime, timedelta

from .setting_values import PUBLIC_EMAIL

# The file says until when it may be believed; the RFC recommends less than a year.
VALID = timedelta(days=180)


def contact(setting: str) -> str | None:
    """The contact as the URI that the file wants, or None where none is set."""
    if not setting:
        return None
    return f"mailto:{setting}" if PUBLIC_EMAIL.fullmatch(setting) else setting


def text(contact_uri: str, public_url: str, now: datetime) -> str:
    """The file. It names its own address only where that is known and https, which the RFC demands."""
    expires = (now + VALID).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = [f"Contact: {contact_uri}", f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}", "Preferred-Languages: en"]
    if public_url.startswith("https://"):
        lines.append(f"Canonical: {public_url.rstrip('/')}/.well-known/security.txt")
    return "\n".join(lines) + "\n"
