"""Every metric, once: what feeds it, the text for Prometheus, the documentation and the alerts' tests read here.

Labels are bounded: a model is an id of the catalogue, a host a label such as ollama-2, an outcome a row of
`metering/outcomes.py`. No label ever holds an account, a key or a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PREFIX = "llmrack_"
# Seconds. A model on a processor takes minutes, where the buckets of OpenTelemetry end at 10 and 82 seconds.
ANSWER_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0)
TOKEN_S = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28)
SHORT_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

Kind = Literal["counter", "gauge", "histogram"]


# Compared by identity, so that looking up a figure hashes no text.
@dataclass(frozen=True, eq=False)
class Metric:
    """One row. `merges` is how the gauges of several workers become one, `otel` the name in OpenTelemetry, if any."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()
    merges: Literal["sum", "max"] = "sum"
    otel: str = ""


def _counter(name: str, labels: str, help_: str, otel: str = "") -> Metric:
    return Metric(f"{PREFIX}{name}_total", "counter", tuple(labels.split()), help_, otel=otel)


def _gauge(name: str, labels: str, help_: str, merges: Literal["sum", "max"] = "sum") -> Metric:
    return Metric(PREFIX + name, "gauge", tuple(labels.split()), help_, merges=merges)


def _histogram(name: str, labels: str, buckets: tuple[float, ...], help_: str, otel: str = "") -> Metric:
    return Metric(f"{PREFIX}{name}_seconds", "histogram", tuple(labels.split()), help_, buckets, otel=otel)


REQUEST_DURATION = _histogram(
    "request_duration", "operation model outcome", ANSWER_S,
    "Requests of live keys, from admission to settlement.", "gen_ai.server.request.duration",
)  # fmt: skip
FIRST_TOKEN = _histogram(
    "time_to_first_token", "model", ANSWER_S,
    "From admission to the first piece of the answer, with the queue and the reading of the prompt.",
    "gen_ai.server.time_to_first_token",
)  # fmt: skip
PER_TOKEN = _histogram(
    "time_per_output_token", "model", TOKEN_S,
    "Time for each token after the first, of completed answers.", "gen_ai.server.time_per_output_token",
)  # fmt: skip
TOKENS = _counter(
    "tokens", "model kind",
    "Tokens of live keys when their request is settled; kind is prompt or completion. Their sums are those of the"
    " usage records.", "gen_ai.client.token.usage",
)  # fmt: skip
OUTCOMES = _counter("outcomes", "model outcome", "Settled requests of live keys by how they ended.")
REFUSED = _counter("refused", "reason", "Answers with 402, 413, 429 and 503, by the code of the error.")
HTTP_REQUESTS = _counter(
    "http_requests",
    "route method status",
    "Requests on every path; route is a pattern, or none where nothing is served.",
)
QUEUE_WAITING = _gauge("queue_waiting", "model", "Requests that wait for a slot of a model.")
POOL_HOST_UP = _gauge("pool_host_up", "host", "1 while an Ollama answers, 0 while it does not.")
POOL_RESIDENT = _gauge("pool_resident", "host model", "1 for each model in the memory of an Ollama.")
DB_UP = _gauge("db_up", "", "1 when the database answered the scrape.")
HUB_LAG = _histogram(
    "hub_lag", "", SHORT_S, "How late a timer of 100 ms fires in each worker: the first sign of a blocked worker."
)
JOB_LAST = _gauge("job_last_success_timestamp_seconds", "job", "When each background job last succeeded.", "max")
WORKERS = _gauge("workers", "", "Worker processes that count figures.")
BUILD = _gauge("build_info", "version python", "Always 1; the labels say what runs.")


METRICS: tuple[Metric, ...] = tuple(row for row in list(globals().values()) if isinstance(row, Metric))
BY_NAME = {row.name: row for row in METRICS}


def exposed(row: Metric) -> tuple[str, ...]:
    """The names of a row's series in the text for Prometheus."""
    return tuple(row.name + end for end in ("_bucket", "_sum", "_count")) if row.kind == "histogram" else (row.name,)
