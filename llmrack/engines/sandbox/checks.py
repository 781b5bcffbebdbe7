"""Whether a value fits a JSON Schema, with bounded work: the schemas are written by users."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from jsonschema import (
    Draft4Validator,
    Draft6Validator,
    Draft7Validator,
    Draft201909Validator,
    Draft202012Validator,
    FormatChecker,
)
from jsonschema.exceptions import FormatError, SchemaError
from jsonschema.exceptions import ValidationError as Mismatch
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry

from . import patterns
from .formats import FORMATS

# One step is one keyword of one subschema against one value, some microseconds: this is a tenth of a second.
MAX_STEPS = 30_000
# After so many steps others get their turn: the worker serves all its streams in one thread.
STEPS_PER_TURN = 500
# Keywords and properties together. Checking one against the meta-schema takes about 50 microseconds.
MAX_KEYWORDS = 4_000
# Property names are matched against patternProperties; longer ones are never offered to the expressions.
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
    """Counts down the steps of one request."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self._left = steps

    def spend(self) -> None:
        self._left -= 1
        if self._left % STEPS_PER_TURN == 0:
            time.sleep(0)
        if self._left < 0:
            raise TooHard("the schema is too complex")


class _Formats(FormatChecker):
    """Our formats, and the budget: the one object that travels to every subschema's validator."""

    def __init__(self, budget: Budget) -> None:
        super().__init__(formats=())
        self.budget = budget

    def check(self, instance: object, format: str) -> None:
        known = FORMATS.get(format)
        if known and isinstance(instance, str) and not known.fits(instance):
            raise FormatError(f"{instance!r} is not a {format}")


Keyword = Callable[[Any, Any, Any, Any], Any]


def _counted(keyword: Keyword) -> Keyword:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Mismatch]:
        validator.format_checker.budget.spend()
        yield from keyword(validator, value, instance, schema) or ()

    return counted


def _pattern(validator: Any, pattern: Any, instance: Any, schema: Any) -> Iterator[Mismatch]:
    """Doubtful expressions pass: their only strings here were written from the expression itself."""
    if isinstance(instance, str) and patterns.matches(pattern, instance) is False:
        yield Mismatch(f"{instance!r} does not match {pattern!r}")


@lru_cache(maxsize=8)
def _bounded(draft: Any) -> Any:
    keywords = {name: _counted(keyword) for name, keyword in draft.VALIDATORS.items()}
    return extend(draft, {**keywords, "pattern": _counted(_pattern)})  # type: ignore[no-untyped-call]


def check_schema(schema: Any) -> None:
    """Raise BadSchema or TooHard for what no value can be made for."""
    fault = _fault(json.dumps(schema))
    if fault is not None:
        raise fault[0](fault[1])


@lru_cache(maxsize=64)
def _fault(text: str) -> tuple[type[Exception], str] | None:
    schema = json.loads(text)
    parts = list(_parts(schema))
    if sum(len(part) for part in parts) > MAX_KEYWORDS:
        return TooHard, "the schema is too large"
    if not all(map(_has_quick_names, parts)):
        return TooHard, "patternProperties is too complex"
    try:
        # Without the format checker, which would refuse expressions that are JavaScript's and not Python's.
        _draft(schema).check_schema(schema, format_checker=FormatChecker(formats=()))
    except SchemaError as wrong:
        return BadSchema, f"{wrong.json_path}: {wrong.message}"[:300]
    return None


def fitting(schema: Any, budget: Budget) -> Any:
    """A validator whose work is taken from the budget; `$schema` decides the draft, once, at the top."""
    draft = _bounded(_draft(schema))
    validator: Validator = draft(_undated(schema), registry=_NOTHING, format_checker=_Formats(budget))
    return validator


def _draft(schema: Any) -> Any:
    named = schema.get("$schema") if isinstance(schema, dict) else None
    return _DRAFTS.get(str(named).rstrip("#"), Draft202012Validator)


def _undated(part: Any) -> Any:
    """The schema without `$schema`: inside, it would bring back the validators without a budget."""
    if isinstance(part, dict):
        return {
            name: _undated(value) for name, value in part.items() if not (name == "$schema" and isinstance(value, str))
        }
    return [_undated(value) for value in part] if isinstance(part, list) else part


def _parts(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
        for value in part.values():
            yield from _parts(value)
    elif isinstance(part, list):
        for value in part:
            yield from _parts(value)


def _has_quick_names(part: dict[str, Any]) -> bool:
    """Whether the expressions for property names, which jsonschema tries together, are quick to search for."""
    named = part.get("patternProperties")
    return not named or not isinstance(named, dict) or patterns.is_quick("|".join(map(str, named)), MAX_NAME)
