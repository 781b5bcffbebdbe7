"""The figures of one worker, in memory that all workers of a server share.

The master makes an `Arena` before it forks, gives each worker an area of it, and adds the counts of a worker that has
ended to the first area. So any worker can tell the sums of all of them at once, to the last request before a kill -9,
without files and without a message between processes. An update is two list-like accesses, with no lock: nothing in
it lets another greenlet run.

gunicorn.conf.py reads this module, so it imports nothing that gevent patches.
"""

from __future__ import annotations

import json
import logging
import mmap
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .rows import BY_NAME, WORKERS, Metric

log = logging.getLogger(__name__)

Labels = tuple[str, ...]

# Untouched pages take no memory. The names of about 2,000 series with their labels, and numbers for 48,000.
NAMES_BYTES = 128 * 1024
AREA_BYTES = 512 * 1024
_HEAD_BYTES = 8
# Adding up takes well under a millisecond; a master that died while it did so must hold up no reader.
READS = 1000
_PAGE = 4096


class Series(NamedTuple):
    """The values of one metric with its labels: one, or for a histogram the counts of its buckets and the sum."""

    metric: Metric
    labels: Labels
    values: tuple[float, ...]


class Area:
    """A piece of memory for the figures of one process: the names as lines of JSON, behind them the numbers."""

    def __init__(self, memory: memoryview) -> None:
        self._head = memory[:_HEAD_BYTES].cast("Q")
        self._names = memory[_HEAD_BYTES:NAMES_BYTES]
        self.values = memory[NAMES_BYTES:AREA_BYTES].cast("d")

    def add(self, metric: Metric, labels: Labels, at: int) -> bool:
        """Note whose values begin at `at`; False where the area is full."""
        line = json.dumps([metric.name, at, *labels]).encode() + b"\n"
        used = self._head[0]
        if used + len(line) > len(self._names) or at + size(metric) > len(self.values):
            return False
        self._names[used : used + len(line)] = line
        # Last, so that a reader never sees half a line.
        self._head[0] = used + len(line)
        return True

    def series(self) -> Iterator[Series]:
        for line in bytes(self._names[: self._head[0]]).splitlines():
            name, at, *labels = json.loads(line)
            metric = BY_NAME[name]
            yield Series(metric, tuple(labels), tuple(self.values[at : at + size(metric)]))

    def clear(self, slots: int) -> None:
        self._head[0] = 0
        self.values[:slots] = memoryview(bytes(8 * slots)).cast("d")


def size(metric: Metric) -> int:
    """How many numbers a series takes: a histogram's buckets, the one without an end, and the sum."""
    return len(metric.buckets) + 2 if metric.kind == "histogram" else 1


class Figures:
    """Where one process counts. `models` are those that a label may name."""

    def __init__(self, models: Iterable[str] = ()) -> None:
        self._models = frozenset(models)
        self._arena: Arena | None = None
        self._write_to(Area(memoryview(bytearray(AREA_BYTES))))

    def share(self, arena: Arena, number: int) -> None:
        """From now on in an area of the arena."""
        self._arena = arena
        self._write_to(arena.area(number))
        self.set(WORKERS, (), 1)

    def _write_to(self, area: Area) -> None:
        self._area, self._values = area, area.values
        self._slots: dict[tuple[Metric, Labels], int] = {}
        self._next = 1
        self._is_full = False

    def count(self, metric: Metric, labels: Labels = (), amount: float = 1) -> None:
        self._values[self._slots.get((metric, labels)) or self._open(metric, labels)] += amount

    def set(self, metric: Metric, labels: Labels, value: float) -> None:
        self._values[self._slots.get((metric, labels)) or self._open(metric, labels)] = value

    def observe(self, metric: Metric, labels: Labels, value: float) -> None:
        at = self._slots.get((metric, labels)) or self._open(metric, labels)
        values, buckets = self._values, metric.buckets
        values[at + bisect_left(buckets, value)] += 1
        values[at + len(buckets) + 1] += value

    def model(self, name: str) -> str:
        """The label of a model: its id while the catalogue has it."""
        return name if name in self._models else "other"

    def _open(self, metric: Metric, labels: Labels) -> int:
        at = self._next
        if not self._area.add(metric, labels, at):
            if not self._is_full:
                log.error("there are too many series of metrics: %s is not counted", metric.name)
            self._is_full = True
            # A place that no name points to.
            return len(self._values) - 32
        self._slots[metric, labels] = at
        self._next += size(metric)
        return at

    def series(self) -> list[Series]:
        """Of all workers, added up."""
        return merged(self._arena.series() if self._arena is not None else list(self._area.series()))


class Arena:
    """The areas of all workers; `Arena.take` and `retire` are for the master alone."""

    def __init__(self, areas: int) -> None:
        self._memory = memoryview(mmap.mmap(-1, _PAGE + (areas + 1) * AREA_BYTES))
        # Odd while the master adds up: a reader begins again.
        self._version = self._memory[:8].cast("Q")
        self._free = list(range(areas, 0, -1))
        self._areas = areas

    def area(self, number: int) -> Area:
        start = _PAGE + number * AREA_BYTES
        return Area(self._memory[start : start + AREA_BYTES])

    def take(self) -> int:
        """The number of an area for a new worker; 0 where there is none."""
        return self._free.pop() if self._free else 0

    def retire(self, number: int) -> None:
        """Keep the counts of a worker that has ended, and forget its gauges."""
        if not number:
            return
        area = self.area(number)
        ended = list(area.series())
        self._version[0] += 1
        past = self.area(0)
        slots = {(series.metric, series.labels): at for series, at in _placed(past)}
        end = 1 + sum(size(metric) for metric, _ in slots)
        for metric, labels, values in ended:
            if metric.kind == "gauge":
                continue
            at = slots.get((metric, labels), end)
            if at == end:
                if not past.add(metric, labels, at):
                    continue
                end += size(metric)
            for offset, value in enumerate(values):
                past.values[at + offset] += value
        area.clear(1 + sum(size(series.metric) for series in ended))
        self._version[0] += 1
        self._free.append(number)

    def series(self) -> list[Series]:
        found: list[Series] = []
        for _ in range(READS):
            version = self._version[0]
            found = [series for number in range(self._areas + 1) for series in self.area(number).series()]
            if version % 2 == 0 and self._version[0] == version:
                break
            time.sleep(0.001)
        return found


def _placed(area: Area) -> Iterator[tuple[Series, int]]:
    at = 1
    for series in area.series():
        yield series, at
        at += size(series.metric)


def merged(found: Iterable[Series]) -> list[Series]:
    sums: dict[tuple[Metric, Labels], tuple[float, ...]] = {}
    for metric, labels, values in found:
        before = sums.get((metric, labels))
        join = max if metric.merges == "max" else sum
        sums[metric, labels] = values if before is None else tuple(map(join, zip(before, values, strict=True)))
    return [Series(metric, labels, values) for (metric, labels), values in sums.items()]
