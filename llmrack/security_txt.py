"""/.well-known/security.txt: where to report a weakness of this server (RFC 9116)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from .settings import BadSetting

# The file says until when it may be believed; the RFC recommends less than a year.
VALID = timedelta(days=180)
_EMAIL = re.compile(r"[A-Za-z0-9.!#$&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_URL = re.compile(r"https://[A-Za-z0-9.-]+(:\d+)?(/[!-~]*)?")


def contact(setting: str) -> str | None:
    """The contact as the URI that the file wants, or None where none is set. Raises BadSetting."""
    if not setting:
        return None
    if _EMAIL.fullmatch(setting):
        return f"mailto:{setting}"
    if _URL.fullmatch(setting):
        return setting
    raise BadSetting(f"LLMRACK_SECURITY_CONTACT={setting!r} is not valid: it takes an e-mail address or an https URL.")


def text(contact_uri: str, public_url: str, now: datetime) -> str:
    """The file. It names its own address only where that is known and https, which the RFC demands."""
    expires = (now + VALID).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = [f"Contact: {contact_uri}", f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}", "Preferred-Languages: en"]
    if public_url.startswith("https://"):
        lines.append(f"Canonical: {public_url.rstrip('/')}/.well-known/security.txt")
    return "\n".join(lines) + "\n"
