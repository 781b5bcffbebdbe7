"""Whether an answer holds what the client's JSON Schema asks for."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
import referencing
from jsonschema import Draft202012Validator

from ...errors import InvalidRequest
from . import patterns, reading
from .time_budget import TimeBudget, TooCostly
from .validator import Steps, bounded

# Steps of the validator for one answer: 5 to 30 microseconds each. An answer of a hundred rows with twenty fields
# takes about 10,000.
MAX_STEPS = 50_000
# Processor time for one answer. Every other request gets its turn meanwhile.
CHECK_S = 0.25
STEPS_PER_TURN = 500
# Agents send the same schema with every turn.
CACHED_SCHEMAS = 128
CACHED_BYTES = 16_384


def checker(schema: dict[str, Any], param: str) -> Checker:
    """The judge of answers for a schema of an admitted size. Raises InvalidRequest with `param` for what is none."""
    encoded = msgspec.json.encode(schema)
    return _cached(encoded, param) if len(encoded) <= CACHED_BYTES else Checker(schema, param)


@lru_cache(maxsize=CACHED_SCHEMAS)
def _cached(encoded: bytes, param: str) -> Checker:
    return Checker(msgspec.json.decode(encoded), param)


class Checker:
    """A client's schema, ready to judge answers.

    `loose` names the words that could not be enforced: patterns that need back-references or look-around, which no
    matcher runs in bounded time.
    """

    def __init__(self, schema: dict[str, Any], param: str) -> None:
        try:
            found = reading.read(schema)
        except reading.NotASchema as wrong:
            raise InvalidRequest(
                f"{param}{wrong.place} is not valid JSON Schema: {wrong}."[:500], param=param
            ) from None
        _require_inner_references(schema, param)
        self._schema = schema
        is_loose = any(patterns.compiled(pattern) is None for pattern in found.patterns)
        self.loose: tuple[str, ...] = ("pattern",) if is_loose else ()

    def fault(self, value: Any) -> str | None:
        """What is wrong with a value, in words; None when it validates."""
        budget = TimeBudget(CHECK_S)
        steps = Steps(MAX_STEPS, per_turn=STEPS_PER_TURN, let_others_run=budget.let_others_run)
        # An empty registry: a reference to another host is an error and never a download.
        validator = bounded(Draft202012Validator)(self._schema, registry=referencing.Registry(), format_checker=steps)
        try:
            error = budget.run(next, validator.iter_errors(value), None)
        except (RecursionError, TooCostly):
            return "checking it against the schema takes too long"
        except referencing.exceptions.Unresolvable as exc:
            return f"the schema refers to {str(exc.ref)[:100]}, which is not a place inside it"
        return None if error is None else f"{error.json_path} {error.message}"[:300]


def _require_inner_references(schema: Any, param: str) -> None:
    """Raises InvalidRequest for a reference that leaves the schema."""
    for part in reading.parts(schema):
        for word in ("$ref", "$dynamicRef"):
            target = part.get(word)
            if isinstance(target, str) and not target.startswith("#"):
                raise InvalidRequest(
                    f"{param} refers to {target[:100]!r}, which is not a place inside it.", param=param
                )
