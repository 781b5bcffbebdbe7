"""Who acts at a terminal, as the audit log has it."""

from __future__ import annotations

import os
import pwd


def actor() -> str:
    """`terminal:` and the user whom the process belongs to, whatever its environment says of a name.

    A container may have no name for its user, who then goes by number.
    """
    uid = os.getuid()
    try:
        return f"terminal:{pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"terminal:{uid}"
