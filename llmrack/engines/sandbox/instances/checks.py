"""Whether a value fits a JSON Schema, with bounded work: the schemas are written by users."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import (
    Draft4Validator,
    Draft6Validator,
    Draft7Validator,
    Draft201909Validator,
    Draft202012Validator,
)
from jsonschema.exceptions import FormatError
from jsonschema.exceptions import ValidationError as Mismatch
from jsonschema.protocols import Validator
from referencing import Registry

from ....wire.json_schema import reading
from ....wire.json_schema.patterns import matches
from ....wire.json_schema.time_budget import TimeBudget
from ....wire.json_schema.validator import Steps, bounded
from . import patterns
from .formats import FORMATS

# One step is one keyword of one subschema against one value, some microseconds.
MAX_STEPS = 30_000
# Processor time for one answer. Every other request gets its turn meanwhile.
TOTAL_S = 0.25
STEPS_PER_TURN = 500
# Keywords and properties together.
MAX_KEYWORDS = 4_000
# Property names of patternProperties; longer ones are never offered.
MAX_NAME = 100

_DRAFTS: dict[str, Any] = {
    draft.META_SCHEMA["$schema"].rstrip("#"): draft
    for draft in (Draft4Validator, Draft6Validator, Draft7Validator, Draft201909Validator, Draft202012Validator)
}
# Nothing is ever fetched: a reference to another document fails instead of calling out.
_NOTHING: Registry[Any] = Registry()


class TooHard(Exception):
    """The schema needs more work than a rehearsal is worth."""


class NoInstance(Exception):
    """No candidate fitted."""


class BadSchema(Exception):
    """The schema is not one; the text says where."""


class Budget:
    """Counts down the steps of one request, and holds its processor time."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self._left = steps
        self.time = TimeBudget(TOTAL_S)

    def spend(self) -> None:
        self._left -= 1
        if self._left % STEPS_PER_TURN == 0:
            self.time.let_others_run()
        if self._left < 0:
            raise TooHard("the schema is too complex")


class _Formats(Steps):
    """Our formats, and the budget: the one object that travels to every subschema's validator."""

    def __init__(self, budget: Budget) -> None:
        super().__init__(MAX_STEPS, per_turn=STEPS_PER_TURN, let_others_run=budget.time.let_others_run)
        self._budget = budget

    def step(self) -> None:
        self._budget.spend()

    def check(self, instance: object, format: str) -> None:
        known = FORMATS.get(format)
        if known and isinstance(instance, str) and not known.fits(instance):
            raise FormatError(f"{instance!r} is not a {format}")


def _pattern(validator: Any, pattern: Any, instance: Any, schema: Any) -> Iterator[Mismatch]:
    """Expressions that no example can be written for pass: their only strings here are made from other words."""
    if isinstance(instance, str) and patterns.parse(pattern) and matches(pattern, instance) is False:
        yield Mismatch(f"does not match {pattern!r}")


def check_schema(schema: Any) -> None:
    """Raise BadSchema or TooHard for what no value can be made for."""
    if _keyword_count(schema) > MAX_KEYWORDS:
        raise TooHard("the schema is too large")
    try:
        reading.read(schema, is_older_draft=_draft(schema) is not Draft202012Validator)
    except reading.NotASchema as wrong:
        raise BadSchema(f"${wrong.place}: {wrong}"[:300]) from None


def _keyword_count(schema: Any) -> int:
    count, stack = 0, [schema]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            count += len(part)
            stack.extend(part.values())
        elif isinstance(part, list):
            stack.extend(part)
    return count


def fitting(schema: Any, budget: Budget) -> Any:
    """A validator whose work is taken from the budget; `$schema` decides the draft, once, at the top."""
    draft = bounded(_draft(schema), _pattern)
    validator: Validator = draft(schema, registry=_NOTHING, format_checker=_Formats(budget))
    return validator


def _draft(schema: Any) -> Any:
    named = schema.get("$schema") if isinstance(schema, dict) else None
    return _DRAFTS.get(str(named).rstrip("#"), Draft202012Validator)
