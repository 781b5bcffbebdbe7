"""Geometry of the charts: stacked bars over time. Templates draw the numbers that are worked out here."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llmrack.metering.usage import DayUsage

# In units of the drawing, which is stretched to the width there is.
WIDTH, HEIGHT = 1000.0, 100.0
GAP = 0.25
# Colours that can be told apart; everything smaller shares the last one.
MOST = 5
OTHERS = "others"


@dataclass(frozen=True)
class Part:
    """One piece of a bar; `series` is the number of its colour, from 1."""

    y: float
    height: float
    series: int


@dataclass(frozen=True)
class Bar:
    """One slot of time with the amounts of its series."""

    slot: str
    x: float
    width: float
    parts: tuple[Part, ...]
    amounts: tuple[int, ...]
    total: int


@dataclass(frozen=True)
class Chart:
    """`series` are the names of the colours, `ticks` the marks of the axis from the top down."""

    bars: tuple[Bar, ...]
    series: tuple[str, ...]
    totals: tuple[int, ...]
    ticks: tuple[int, ...]
    total: int


def stacked(
    slots: Sequence[str], rows: Sequence[DayUsage], name: Callable[[DayUsage], str], amount: Callable[[DayUsage], int]
) -> Chart:
    """Bars for `slots`, each split by `name` into the largest series and the others."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        sums[name(row)][row.day] += amount(row)
    largest = sorted(sums, key=lambda series: (-sum(sums[series].values()), series))
    series = largest[:MOST]
    if len(largest) > MOST:
        series.append(OTHERS)
        for small in largest[MOST:]:
            for slot, value in sums[small].items():
                sums[OTHERS][slot] += value
    amounts = {slot: tuple(sums[each][slot] for each in series) for slot in slots}
    top = _round_up(max((sum(values) for values in amounts.values()), default=0))
    step = WIDTH / max(1, len(slots))
    bars = tuple(_bar(slot, index * step, step, amounts[slot], top) for index, slot in enumerate(slots))
    totals = tuple(sum(bar.amounts[index] for bar in bars) for index in range(len(series)))
    return Chart(bars, tuple(series), totals, (top, top // 2, 0), sum(totals))


def _bar(slot: str, x: float, step: float, amounts: tuple[int, ...], top: int) -> Bar:
    parts, floor = [], HEIGHT
    for index, amount in enumerate(amounts):
        if amount:
            # What is there is seen, however small.
            height = max(HEIGHT * amount / top, 0.6)
            floor -= height
            parts.append(Part(round(floor, 2), round(height, 2), index + 1))
    width = step * (1 - GAP)
    return Bar(slot, round(x + step * GAP / 2, 2), round(width, 2), tuple(parts), amounts, sum(amounts))


def _round_up(value: int) -> int:
    """The end of the axis: the next 1, 2 or 5 followed by zeros; even, so that its half is whole."""
    if value <= 2:
        return 2
    size: int = 10 ** int(math.log10(value))
    return next(step * size for step in (1, 2, 4, 6, 8, 10) if step * size >= value and step * size % 2 == 0)
