"""Reasoning that travels through a client: wrapped on the way out, and known again on the way in.

It is not secret, the same text is in the summary; wrapped, it comes back whole from clients that keep no summaries.
"""

from __future__ import annotations

import base64
import binascii

_MARK = "llmrack1."


def wrapped(text: str) -> str:
    return _MARK + base64.urlsafe_b64encode(text.encode()).decode()


def unwrapped(value: str) -> str | None:
    """None for what somebody else has wrapped."""
    if not value.startswith(_MARK):
        return None
    try:
        text = base64.b64decode(value.removeprefix(_MARK), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return text.replace("\0", "\ufffd")
