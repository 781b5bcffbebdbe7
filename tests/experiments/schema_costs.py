"""What a schema of a client can cost: known bombs and random ones, by stopwatch and by the health of the gateway."""

from __future__ import annotations

import itertools
import statistics
import time
from collections import Counter
from typing import Any

import psutil
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from llmrack.errors import InvalidRequest
from llmrack.wire.chat import response_format
from llmrack.wire.json_schema.time_budget import TimeBudget, TooCostly
from tests.support.clients import Answer, Client

from .rig import Bench, Figures
from .slow_clients import HEALTHY_S, Health

MAX_GROWTH_MB = 2.0
SLOW = "^(a+)+$"
SLOW_NAME = "a" * 28 + "!"


def nested(count: int, inner: Any) -> Any:
    for _ in range(count):
        inner = {"not": inner}
    return inner


def bombs() -> dict[str, Any]:
    """Schemas that once kept a worker busy for seconds or minutes, or were a failure of ours."""
    many = [f"name{n}" for n in range(8000)]
    return {
        "types that do not sort, 4,000": {"type": [*range(4000), "x"]},
        "unique constants, 3,000": {"const": [*range(3000), "x"], "uniqueItems": True},
        "unique constants, 30,000": {"const": [*range(30_000), "x"], "uniqueItems": True},
        "draft 4, unique": {
            "$schema": "http://json-schema.org/draft-04/schema#",
            "enum": [[*range(1999), "x"]],
            "uniqueItems": True,
        },
        "300 patterns": {"allOf": [{"pattern": f"^(\\pL{{30}}){{20}}{n}$"} for n in range(300)]},
        "100 patterns": {"allOf": [{"pattern": f"^(\\pL{{9}}){{9}}{n}$"} for n in range(100)]},
        "patterns in data": {"enum": [{"pattern": f"(\\pL{{30}}){{20}}{n}"} for n in range(1000)]},
        "two long lists of names": {"allOf": [{"required": many}, {"required": many}]},
        "names merged many times": {"allOf": [{"required": [f"n{n}" for n in range(2000)]}] * 4},
        "a pattern of a megabyte": {"pattern": "^" + "a" * 1_000_000 + "$"},
        "forty references to a long pattern": {
            "$defs": {"p": {"type": "string", "pattern": "^" + "a" * 60_000 + "$"}},
            "properties": {f"p{n}": {"$ref": "#/$defs/p"} for n in range(40)},
        },
        "unevaluated names": {
            "properties": {SLOW_NAME: {}},
            "required": [SLOW_NAME],
            "patternProperties": {SLOW: {}},
            "unevaluatedProperties": False,
            "type": "object",
        },
        "3,000 nested groups": {"type": "string", "pattern": "(" * 3000 + ")" * 3000},
        "450 nested groups": {"type": "string", "pattern": "(" * 450 + "a" + ")" * 450},
        "a minimum of 400 digits": {"type": "integer", "minimum": 10**400},
        "a range to the end of numbers": {"type": "number", "minimum": 1, "maximum": 1.7e308},
        "a step of nearly nothing": {"type": "number", "minimum": 1e300, "multipleOf": 1e-300},
        "a constant of 400 digits": {"const": 10**400, "multipleOf": 3},
        "400 levels": nested(400, {}),
        "99 levels of three choices": {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}] * 3}}, "$ref": "#/$defs/a"},
        "doubling references": {
            "$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)} | {"d40": {}},
            "$ref": "#/$defs/d0",
        },
        "an enum against an enum": {"allOf": [{"enum": list(range(2000))}, {"enum": list(range(1, 2001))}]},
        "5,000 properties": {"properties": {f"p{n}": {"type": "string"} for n in range(5000)}},
    }


def request(schema: Any, kind: str) -> dict[str, Any]:
    body: dict[str, Any] = {"model": "llama-3.1-8b", "messages": [{"role": "user", "content": "hi"}]}
    if kind == "format":
        wrapper = {"name": "x", "strict": True, "schema": schema}
        return {**body, "response_format": {"type": "json_schema", "json_schema": wrapper}}
    function = {"name": "f", "parameters": schema, "strict": kind == "strict tool"}
    return {**body, "tools": [{"type": "function", "function": function}], "tool_choice": "required"}


KINDS = ("format", "tool", "strict tool")


def served_bombs(rig: Bench) -> Figures:
    """Each bomb as a format, a tool and a strict tool, by a test key and a live one: an answer or a 400, soon.

    They come three times. The first fills the caches, which are bounded; after that nothing may be left behind.
    """
    keys = {mode: rig.key("business", mode) for mode in ("test", "live")}
    sizes = [memory_bytes(rig)]
    waits: list[tuple[float, str]] = []
    statuses: Counter[int] = Counter()
    with Health(rig.server.url) as health:
        for _ in range(3):
            for name, schema in bombs().items():
                for kind, (mode, key) in itertools.product(KINDS, keys.items()):
                    began = time.monotonic()
                    answer = _send(rig, key, request(schema, kind))
                    waits.append((time.monotonic() - began, f"{name}, {kind}, {mode}"))
                    assert answer.status in (200, 400, 502), (name, kind, mode, answer.status, answer.body[:300])
                    statuses[answer.status] += 1
            sizes.append(memory_bytes(rig))
    worst_s, (slowest_s, slowest) = max(health.waits_s), max(waits)
    first_mb, later_mb = (sizes[1] - sizes[0]) / 1e6, (sizes[3] - sizes[1]) / 1e6
    assert worst_s < HEALTHY_S, worst_s
    assert later_mb < MAX_GROWTH_MB, sizes
    return {
        "requests": statuses.total(),
        "answered": statuses[200],
        "refused": statuses[400],
        "answers that did not hold": statuses[502],
        "slowest (ms)": round(slowest_s * 1000),
        "slowest was": slowest,
        "healthz median (ms)": round(statistics.median(health.waits_s) * 1000, 1),
        "healthz worst (ms)": round(worst_s * 1000),
        "memory grown by the first round (MB)": round(first_mb, 1),
        "by two more (MB)": round(later_mb, 1),
    }


def _send(rig: Bench, key: str, body: Any) -> Answer:
    with Client(rig.server.url, timeout_s=60) as client:
        client.ask("/v1/chat/completions", body, key, {"Connection": "close"})
        return client.answer()


def memory_bytes(rig: Bench) -> int:
    return sum(psutil.Process(pid).memory_info().rss for pid in rig.server.worker_pids())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=8), inner, max_size=8),
    max_leaves=60,
)
WORDS = sorted({*Draft202012Validator.VALIDATORS, "$defs"})


def wild_schemas() -> st.SearchStrategy[Any]:
    """Mostly no schemas, sometimes large ones: whatever a client may put there."""
    leaf = VALUES | st.sampled_from(["#", "#/$defs/a", "string", "object", "array", SLOW, "(\\pL{30}){20}"])
    return st.recursive(
        leaf,
        lambda inner: (
            st.dictionaries(st.sampled_from(WORDS), inner, max_size=6)
            | st.dictionaries(st.sampled_from(["a", "b", SLOW]), inner, max_size=4)
            | st.lists(inner, max_size=20)
        ),
        max_leaves=40,
    ).filter(lambda value: isinstance(value, dict))


def stopwatch(*, count: int = 3000) -> Figures:
    """Processor time of reading a schema and of checking one answer against it, for schemas drawn at random and the
    bombs; the bound on time interrupts neither here, so that the steps' own bounds show."""
    costs_s: list[float] = []
    accepted = 0

    def cost(schema: Any, value: Any) -> None:
        nonlocal accepted
        began = time.thread_time()
        try:
            format_ = TimeBudget().run(response_format.read, _format(schema), "response_format")
        except (InvalidRequest, TooCostly):
            costs_s.append(time.thread_time() - began)
            return
        read_s = time.thread_time() - began
        assert format_ is not None
        assert format_.checker is not None
        format_.checker.fault(value)
        costs_s.append(max(read_s, time.thread_time() - began))
        accepted += 1

    for schema in bombs().values():
        for value in ({SLOW_NAME: 1}, SLOW_NAME, list(range(100)), {"a": {"a": [1, 2]}}):
            cost(schema, value)

    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(wild_schemas(), VALUES)
    def drawn(schema: Any, value: Any) -> None:
        cost(schema, value)

    process = psutil.Process()
    before = process.memory_info().rss
    drawn()
    grown_mb = (process.memory_info().rss - before) / 1e6
    worst_ms = max(costs_s) * 1000
    return {
        "schemas": len(costs_s),
        "accepted": accepted,
        "p50 (ms)": round(statistics.median(costs_s) * 1000, 2),
        "p100 (ms)": round(worst_ms, 1),
        "memory grown with hypothesis (MB)": round(grown_mb, 1),
    }


def _format(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
