"""Regular expressions of clients, run by RE2, whose time grows only with the text. None ever meets Python's `re`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]

# Characters. Longer than what people write into schemas.
MAX_PATTERN = 1000
# Compiling the worst pattern found within this memory took 1.7 ms (15 ms within a megabyte); a pattern that needs
# more, such as many repetitions of a Unicode class, counts as one that cannot be run.
MAX_MEMORY_BYTES = 1 << 17

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = MAX_MEMORY_BYTES


@lru_cache(maxsize=128)
def compiled(pattern: str) -> Any:
    """The pattern ready to search, or None when it is too long or needs what RE2 lacks (look-around, references)."""
    if len(pattern) > MAX_PATTERN:
        return None
    try:
        # JavaScript writes named groups as `(?<name>`, older RE2 as `(?P<name>`.
        return re2.compile(_named_groups(pattern), _OPTIONS)
    except re2.error:
        return None


def _named_groups(pattern: str) -> str:
    first, *rest = pattern.split("(?<")
    return first + "".join(("(?<" if part[:1] in ("=", "!") else "(?P<") + part for part in rest)


def matches(pattern: str, text: str) -> bool | None:
    """Whether the pattern is found in the text; None for a pattern that cannot be run."""
    expression = compiled(pattern)
    return None if expression is None else expression.search(text) is not None
