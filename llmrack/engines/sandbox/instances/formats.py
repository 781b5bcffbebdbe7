"""JSON Schema's string formats: how to recognise one, and endless examples of it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from uuid import UUID


@dataclass(frozen=True)
class Format:
    """`example(n)` gives the n-th example; `fits` says whether a text is of the format."""

    example: Callable[[int], str]
    fits: Callable[[str], bool]


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def fits(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return fits


def _like(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


def _both(first: Callable[[str], bool], second: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda text: first(text) and second(text)


def _day(n: int) -> str:
    return f"2026-{1 + n // 28 % 12:02}-{1 + n % 28:02}"


_IS_DATE = _both(_like(r"\d{4}-\d{2}-\d{2}"), _parses(date.fromisoformat))
_TIME = r"\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:[zZ]|[+-]\d{2}:\d{2})"

FORMATS: dict[str, Format] = {
    "date": Format(_day, _IS_DATE),
    "date-time": Format(
        lambda n: f"{_day(n)}T09:30:00Z",
        _both(
            _like(rf"\d{{4}}-\d{{2}}-\d{{2}}[tT]{_TIME}"), _parses(lambda text: datetime.fromisoformat(text.upper()))
        ),
    ),
    "time": Format(
        lambda n: f"{9 + n % 12:02}:30:{n // 12 % 60:02}Z",
        _both(_like(_TIME), _parses(lambda text: time.fromisoformat(text.upper()))),
    ),
    "duration": Format(
        lambda n: f"PT{15 + n}M",
        _like(r"P(?!$)(?:\d+W|(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?)?)"),
    ),
    "email": Format(
        lambda n: f"user{n or ''}@example.com",
        _like(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"),
    ),
    "uri": Format(
        lambda n: f"https://example.com/{n or ''}", _like(r"[A-Za-z][A-Za-z0-9+.-]{0,30}:[^\s<>\"{}|\\^`]{1,4000}")
    ),
    "uuid": Format(
        lambda n: f"7e57{n:04x}-0000-4000-8000-000000000000",
        _both(_like(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"), _parses(UUID)),
    ),
    "ipv4": Format(lambda n: f"192.0.2.{1 + n % 254}", _parses(ipaddress.IPv4Address)),
    "ipv6": Format(lambda n: f"2001:db8::{1 + n:x}", _parses(ipaddress.IPv6Address)),
    "hostname": Format(
        lambda n: f"host{n or ''}.example.com", _like(r"(?=.{1,253}$)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*")
    ),
}
FORMATS["idn-email"] = FORMATS["email"]
FORMATS["uri-reference"] = FORMATS["iri"] = FORMATS["iri-reference"] = FORMATS["url"] = FORMATS["uri"]
FORMATS["idn-hostname"] = FORMATS["hostname"]
