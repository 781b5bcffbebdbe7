"""Money as integers of nano-dollars: 0.04 dollars per million tokens is 40 per token, one dollar is 10**9."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

NANOUSD_PER_USD = 10**9


def nanousd_per_token(usd_per_million: Any) -> int:
    """A price from its text in dollars per million tokens: "0.04" is 40. Raises ValueError with what is expected."""
    return _whole(usd_per_million, 1000, 'must be dollars as text with up to 3 decimals, such as "0.04"')


def usd_per_million(nanousd_per_token: int) -> str:
    """A price as people read it, in dollars per million tokens with two or three decimals: 40 is "0.04"."""
    return f"{Decimal(nanousd_per_token) / 1000:.3f}".removesuffix("0")


def nanousd(usd: Any) -> int:
    """An amount from its text in dollars: "15" is 15_000_000_000. Raises ValueError with what is expected."""
    return _whole(usd, NANOUSD_PER_USD, 'must be dollars as text, such as "15" or "0.50"')


def usd(amount_nanousd: int) -> Decimal:
    """The amount in dollars, exactly."""
    return Decimal(amount_nanousd) / NANOUSD_PER_USD


def usd_text(amount_nanousd: int) -> str:
    """The amount in dollars as people read it, exactly, with at least two decimals: 1_500_000_000 is "1.50"."""
    whole, part = divmod(abs(amount_nanousd), NANOUSD_PER_USD)
    decimals = f"{part:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if amount_nanousd < 0 else ''}{whole:,}.{decimals}"


def _whole(text: Any, factor: int, complaint: str) -> int:
    try:
        amount = Decimal(text) * factor if isinstance(text, str) else Decimal("NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0 or amount != int(amount):
        raise ValueError(complaint)
    return int(amount)
