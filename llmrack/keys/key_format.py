"""The text of an API key: how it is made, and what can be said about one without asking the database."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

from ..errors import AuthenticationFailed

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
# 62**43 is just above 2**256, and 62**6 above 2**32.
BODY_LENGTH, CHECKSUM_LENGTH = 43, 6
PREFIXES = {"live": "rl_live_", "test": "rl_test_"}

_SHAPE = re.compile(r"rl_(live|test)_[0-9A-Za-z]{49}")


def generate(mode: str) -> str:
    """`rl_<mode>_`, 256 random bits and the CRC32 of what precedes it, in base62: a typo shows without a look-up."""
    if mode not in PREFIXES:
        raise ValueError(f"A key is for one of {', '.join(PREFIXES)}, not {mode}.")
    text = PREFIXES[mode] + _base62(secrets.randbits(256), BODY_LENGTH)
    return text + _checksum(text)


def digest(secret: str) -> str:
    """What the database keeps of a secret: its SHA-256 as hexadecimal digits."""
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


def check(secret: str | None) -> str:
    """The digest of a well-formed secret. Raises AuthenticationFailed for a missing or malformed one."""
    if not secret:
        raise AuthenticationFailed("No API key was given. Send one in the header `Authorization: Bearer rl_live_...`.")
    if not _SHAPE.fullmatch(secret):
        raise AuthenticationFailed(
            "This is not an API key of this server: keys are `rl_live_` or `rl_test_` and 49 letters and digits, "
            "sent in the header `Authorization: Bearer rl_live_...`."
        )
    if _checksum(secret[:-CHECKSUM_LENGTH]) != secret[-CHECKSUM_LENGTH:]:
        raise AuthenticationFailed(
            "This API key is mistyped: its last characters do not match the rest. Copy it again."
        )
    return digest(secret)


# Two digits of base62 at a time: a third of the time of single ones.
_PAIRS = [high + low for high in ALPHABET for low in ALPHABET]


def _checksum(text: str) -> str:
    rest, low = divmod(zlib.crc32(text.encode("ascii")), 62**2)
    high, middle = divmod(rest, 62**2)
    return _PAIRS[high] + _PAIRS[middle] + _PAIRS[low]


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, rest = divmod(number, 62)
        digits.append(ALPHABET[rest])
    return "".join(reversed(digits))
