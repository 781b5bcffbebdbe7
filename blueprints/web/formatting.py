"""How values are written for people: amounts, times, durations, browsers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from markupsafe import Markup

from llmrack import money

_AGES = ((60, "second", 1), (3600, "min", 60), (86_400, "h", 3600), (86_400 * 60, "day", 86_400))


def number(value: int) -> str:
    """1234567 is 1,234,567."""
    return f"{value:,}"


def short(value: int) -> str:
    """1234567 is 1.2M, for the axis of a chart."""
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return str(value)


def usd(nanousd: int) -> str:
    """Dollars with two decimals; below one dollar with four, below a hundredth of a cent with the first two digits."""
    sign, amount = "-" if nanousd < 0 else "", money.usd(abs(nanousd))
    if amount == amount.quantize(Decimal("0.01")) or amount >= 1:
        return f"{sign}${amount:,.2f}"
    return f"{sign}${amount:.{4 if amount >= Decimal('0.0001') else 1 - amount.adjusted()}f}"


def usd0(nanousd: int) -> str:
    """Dollars without cents where there are none: $15."""
    return usd(nanousd).removesuffix(".00") if nanousd else "$0"


def dollars_exact(nanousd: int) -> str:
    """Dollars to the last digit, for what must add up on paper."""
    text = money.usd_text(nanousd)
    return f"-${text[1:]}" if nanousd < 0 else f"${text}"


def signed(nanousd: int) -> str:
    """`dollars_exact` with a plus where something comes in."""
    return f"+{dollars_exact(nanousd)}" if nanousd > 0 else dollars_exact(nanousd)


def month(name: str) -> str:
    """2026-11 is November 2026."""
    return datetime.fromisoformat(f"{name}-01").strftime("%B %Y")


def exact(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def when(at: datetime | None, never: str = "never", now: datetime | None = None) -> str | Markup:
    """A time as people say it, with the exact one in the element: `<time>5 min ago</time>`."""
    if at is None:
        return never
    text = _relative((now or datetime.now(UTC)) - at)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(), exact(at), text or _day(at))


def _relative(age: timedelta) -> str:
    """Empty for what is further away than two months."""
    seconds = age.total_seconds()
    if 0 <= seconds < 45:
        return "just now"
    for below, unit, size in _AGES:
        if abs(seconds) < below:
            count = max(1, round(abs(seconds) / size))
            plural = "s" if unit in ("second", "day") and count > 1 else ""
            return f"{count} {unit}{plural} ago" if seconds > 0 else f"in {count} {unit}{plural}"
    return ""


def _day(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d")


def duration(seconds: float) -> str:
    """19320 is 5 h 22 min."""
    minutes = int(seconds) // 60
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def milliseconds(nanoseconds: int) -> str:
    ms = nanoseconds / 1_000_000
    return f"{ms / 1000:.1f} s" if ms >= 1000 else f"{ms:.0f} ms"


_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Mac OS X", "macOS"),
    ("Windows", "Windows"),
    ("Linux", "Linux"),
)


def browser(agent: str) -> str:
    """A User-Agent header in two words: "Firefox on Linux"."""
    name = next((label for mark, label in _BROWSERS if mark in agent), None)
    system = next((label for mark, label in _SYSTEMS if mark in agent), None)
    if name is None:
        return re.sub(r"[^\w .+-]", "", agent.split("/")[0])[:40] or "Unknown browser"
    return f"{name} on {system}" if system else name


def slot(name: str) -> str:
    """A slot of a chart: "22 Nov", or "13:00" for an hour."""
    if "T" in name:
        return f"{name[-2:]}:00"
    return datetime.fromisoformat(name).strftime("%-d %b")


def pair(text: str, kind: str) -> tuple[str, str]:
    """A column title with its kind, as the table macro takes them."""
    return text, kind


FILTERS = {
    "slot": slot,
    "pair": pair,
    "number": number,
    "short": short,
    "usd": usd,
    "usd0": usd0,
    "dollars_exact": dollars_exact,
    "signed": signed,
    "month": month,
    "exact": exact,
    "when": when,
    "duration": duration,
    "milliseconds": milliseconds,
    "browser": browser,
}
