"""Who acts at a terminal, as the audit log has it."""

from __future__ import annotations

import getpass


def actor() -> str:
    """`terminal:` and the user of this machine; a container may have no name for its user."""
    try:
        return f"terminal:{getpass.getuser()}"
    except (KeyError, OSError):
        return "terminal"
