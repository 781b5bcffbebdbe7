"""The figures as Prometheus reads them, through a registry of our own that lives for one scrape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from . import rows
from .figures import Series

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(series: Iterable[Series]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(series))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, series: Iterable[Series]) -> None:
        self._by_row: dict[rows.Metric, list[Series]] = {}
        for one in series:
            self._by_row.setdefault(one.metric, []).append(one)

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        for row in rows.METRICS:
            if row in self._by_row:
                yield _family(row, sorted(self._by_row[row], key=lambda one: one.labels))


def _family(row: rows.Metric, series: list[Series]) -> Metric:
    if row.kind == "histogram":
        histogram = HistogramMetricFamily(row.name, row.help, labels=row.labels)
        bounds = [*map(str, row.buckets), "+Inf"]
        for _, labels, (*counts, total) in series:
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            histogram.add_metric(labels, buckets, sum_value=total)
        return histogram
    kind = CounterMetricFamily if row.kind == "counter" else GaugeMetricFamily
    family = kind(row.name, row.help, labels=row.labels)
    for one in series:
        family.add_metric(one.labels, one.values[0])
    return family
