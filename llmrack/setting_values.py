"""What settings take: how the text of the environment becomes a value, and which values a server can start with.

A kind's text (`str(kind)`) is what `.env.example`, the documentation and the refusals show. Its `read` makes a value
of a text and its `check` looks at one; both raise ValueError, or Instead where it is known what to set.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

MIN_SECRET_CHARS = 32
MAKE_SECRET = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"  # noqa: S105 - a command
DAY_S = 86_400

_EMAIL = r"[A-Za-z0-9.!#$&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"
PUBLIC_EMAIL = re.compile(r"[A-Za-z0-9.!#$&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
HTTPS_PAGE = re.compile(r"https://[A-Za-z0-9.-]+(:\d+)?(/[!-~]*)?")
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_NUMBERS_ONLY = re.compile(r"[0-9.]+")
# Where something listens; a word alone may be anything.
_WITHOUT_SCHEME = re.compile(r"[A-Za-z0-9-]*([.][A-Za-z0-9.-]+|(?=:)|localhost)(:\d+)?(/[!-~]*)?")
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f?#\\]")
_STORE = re.compile(
    r"(?:[^:/@]*(?::[^@]*)?@)?(?:\[[0-9A-Fa-f:.]+\]|[^/:?@]*)(?::(?P<port>\d{1,5}))?(?:/[^?]*)?(?:\?.*)?"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Instead(ValueError):
    """A wrong value, with what to do about it as the end of a sentence."""


class Kind(Protocol):
    """Of the values of one setting."""

    def read(self, text: str) -> Any: ...

    def check(self, value: Any) -> None: ...


@dataclass(frozen=True)
class Flag:
    def __str__(self) -> str:
        return "true or false"

    def read(self, text: str) -> bool:
        try:
            return _FLAGS[text.lower()]
        except KeyError:
            raise ValueError from None

    def check(self, value: Any) -> None:
        if not isinstance(value, bool):
            raise ValueError


_FLAGS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Number:
    """From `least` to `most`, both allowed; neither infinity nor "not a number" is between them."""

    unit: str
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.unit}, {self.least:g} to {self.most:.10g}"

    def read(self, text: str) -> float:
        return float(text)

    def check(self, value: Any) -> None:
        if not self.least <= value <= self.most:
            raise ValueError


@dataclass(frozen=True)
class Whole(Number):
    def __str__(self) -> str:
        return f"{self.unit}, a whole number from {self.least:g} to {self.most:.10g}"

    def read(self, text: str) -> int:
        return int(text)


@dataclass(frozen=True)
class Words:
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.words[:-1])} or {self.words[-1]}"

    def read(self, text: str) -> str:
        return text.lower()

    def check(self, value: Any) -> None:
        if value not in self.words:
            raise ValueError


@dataclass(frozen=True)
class Text:
    """One line. `patterns` are what the whole of it may look like; without any, it may be anything."""

    unit: str
    patterns: Sequence[re.Pattern[str]] = ()
    least_chars: int = 1
    hint: str = ""

    def __str__(self) -> str:
        return self.unit

    def read(self, text: str) -> str:
        return text

    def check(self, value: Any) -> None:
        is_wrong = len(value) < self.least_chars or _CONTROL.search(value) is not None
        if is_wrong or (self.patterns and not any(pattern.fullmatch(value) for pattern in self.patterns)):
            raise Instead(self.hint) if self.hint else ValueError


@dataclass(frozen=True)
class Host:
    """A name or an IP address, without brackets and without a port."""

    def __str__(self) -> str:
        return "host name or IP address"

    def read(self, text: str) -> str:
        return text.removeprefix("[").removesuffix("]")

    def check(self, value: Any) -> None:
        if is_address(value):
            return
        # Four numbers that are no address are no name either.
        if not _HOST_NAME.fullmatch(value) or len(value) > 253 or _NUMBERS_ONLY.fullmatch(value):
            raise ValueError


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Urls:
    """One URL or several, separated by commas or spaces."""

    one: Url

    def __str__(self) -> str:
        return f"{self.one}; several are separated by commas"

    def read(self, text: str) -> str:
        return ",".join(separated(text))

    def check(self, value: Any) -> None:
        for url in separated(value):
            self.one.check(url)
        if not separated(value) or len(set(separated(value))) != len(separated(value)):
            raise ValueError


def separated(text: str) -> list[str]:
    """The parts of a list in a setting."""
    return text.replace(",", " ").split()


@dataclass(frozen=True)
class Url:
    """`ends` are paths that belong to another address and must be left out."""

    schemes: tuple[str, ...] = ("http", "https")
    ends: tuple[str, ...] = ()

    def __str__(self) -> str:
        ways = [f"{scheme}://" for scheme in self.schemes]
        without = f" without {' or '.join(self.ends)} at its end" if self.ends else ""
        return f"URL that begins with {' or '.join(ways)}{without}"

    def read(self, text: str) -> str:
        return text

    def check(self, value: Any) -> None:
        if _WITHOUT_SCHEME.fullmatch(value):
            raise Instead(f"set it to {self._without_end(f'http://{value}')}")
        parts = urlsplit(value)
        Host().check(parts.hostname or "")
        # Reading a port that is none raises as well.
        if parts.scheme not in self.schemes or parts.port == 0 or _NOT_IN_URLS.search(value):
            raise ValueError
        if "@" in parts.netloc:
            raise Instead("leave out the name and the password, which would not be sent")
        if (better := self._without_end(value)) != value:
            raise Instead(f"set it to {better}")

    def _without_end(self, url: str) -> str:
        bare = url.rstrip("/")
        end = next((end for end in self.ends if bare.endswith(end)), "")
        return bare.removesuffix(end).rstrip("/") if end else url


@dataclass(frozen=True)
class StoreUrl:
    """Where a store is. Passwords in it may hold characters that other URLs may not, as SQLAlchemy reads them."""

    schemes: tuple[str, ...]
    example: str

    def __str__(self) -> str:
        ways = [f"{scheme}://" for scheme in self.schemes]
        return f"URL that begins with {', '.join(ways[:-1])} or {ways[-1]}, such as {self.example}"

    def read(self, text: str) -> str:
        return text

    def check(self, value: Any) -> None:
        scheme, separator, rest = value.partition("://")
        found = _STORE.fullmatch(rest)
        if scheme not in self.schemes or not separator or _CONTROL.search(value) or found is None:
            raise ValueError
        if found["port"] and not 0 < int(found["port"]) < 65_536:
            raise ValueError


ADDRESS = Text("e-mail address", (re.compile(_EMAIL),))
SENDER = Text("e-mail address", (re.compile(_EMAIL), re.compile(rf"[^<>]*<{_EMAIL}>")))
CONTACT = Text("e-mail address or https URL", (PUBLIC_EMAIL, HTTPS_PAGE))
SECRET = Text(f"{MIN_SECRET_CHARS} characters or more", (), MIN_SECRET_CHARS, f"make one with {MAKE_SECRET}")


def shown(kind: Kind, value: Any, *, is_secret: bool) -> str:
    """The value as a refusal repeats it: no secret, not even the password inside a URL, and not without end."""
    if is_secret:
        return "(secret)"
    text = str(value)
    if isinstance(kind, Url | Urls):
        text = re.sub(r"[^/@]*@", "(secret)@", text)
    return repr(text if len(text) <= 100 else f"{text[:100]}...")
