"""Whether an answer holds what the client's JSON Schema asks for, at a cost the schema's author cannot drive up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import jsonschema
import msgspec
import re2  # type: ignore[import-untyped]
import referencing
from jsonschema import Draft202012Validator
from jsonschema_specifications import REGISTRY as SPECIFICATIONS  # type: ignore[import-untyped]
from referencing.jsonschema import DRAFT202012

from ..errors import InvalidRequest

# Steps of the validator for one schema or one answer: 5 to 30 microseconds each. An answer of a hundred rows with
# twenty fields takes about 10,000.
MAX_STEPS = 50_000
# After so many steps others get their turn: the worker serves all its streams in one thread.
STEPS_PER_TURN = 500
MAX_PATTERN = 1000
# Agents send the same schema with every turn, and checking a schema costs far more than checking an answer.
CACHED_SCHEMAS = 128
CACHED_BYTES = 16_384

Errors = Iterator[jsonschema.ValidationError]


class _TooCostly(Exception):
    """The schema makes checking endless."""


def checker(schema: dict[str, Any], param: str) -> Checker:
    """The judge of answers for a schema. Raises InvalidRequest with `param` for what is not a schema."""
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
            error = next(_meta().iter_errors(schema), None)
        except (RecursionError, _TooCostly):
            raise InvalidRequest(f"{param} is too large or too deep.", param=param) from None
        if error is not None:
            place = error.json_path.removeprefix("$")
            raise InvalidRequest(f"{param}{place} is not valid JSON Schema: {error.message[:200]}", param=param)
        _require_inner_references(schema, param)
        self._schema = _undeclared(schema)
        self._patterns = _Patterns(schema)
        self.loose: tuple[str, ...] = ("pattern",) if self._patterns.has_loose else ()

    def fault(self, value: Any) -> str | None:
        """What is wrong with a value, in words; None when it validates."""
        # An empty registry: a reference to another host is an error and never a download.
        validator = _VALIDATOR(self._schema, registry=referencing.Registry(), format_checker=_Run(self._patterns))
        try:
            error = next(validator.iter_errors(value), None)
        except (RecursionError, _TooCostly):
            return "checking it against the schema takes too long"
        except referencing.exceptions.Unresolvable as exc:
            return f"the schema refers to {str(exc.ref)[:100]}, which is not a place inside it"
        return None if error is None else f"{error.json_path} {error.message}"[:300]


class _Patterns:
    """The regular expressions of a schema, compiled by RE2, whose matching time grows only with the text."""

    def __init__(self, schema: Any) -> None:
        self._compiled: dict[str, Any] = {}
        self.has_loose = False
        stack = [schema]
        while stack:
            part = stack.pop()
            if isinstance(part, dict):
                stack.extend(part.values())
                self._add(part.get("pattern"))
                patterns = part.get("patternProperties")
                for pattern in patterns if isinstance(patterns, dict) else ():
                    self._add(pattern)
            elif isinstance(part, list):
                stack.extend(part)

    def _add(self, pattern: Any) -> None:
        if not isinstance(pattern, str) or pattern in self._compiled:
            return
        compiled = None
        if len(pattern) <= MAX_PATTERN:
            try:
                compiled = re2.compile(pattern, _OPTIONS)
            except re2.error:
                compiled = None
        self._compiled[pattern] = compiled
        self.has_loose = self.has_loose or compiled is None

    def matches(self, pattern: str, text: str) -> bool | None:
        """None for a pattern that cannot be run."""
        compiled = self._compiled.get(pattern)
        return None if compiled is None else compiled.search(text) is not None


_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 1 << 20


class _Run(jsonschema.FormatChecker):
    """What one run of the validator carries along; it rides where jsonschema hands a format checker to every part."""

    def __init__(self, patterns: _Patterns) -> None:
        super().__init__(formats=())
        self.patterns = patterns
        self._steps = 0

    def step(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise _TooCostly
        if self._steps % STEPS_PER_TURN == 0:
            time.sleep(0)


def _counted(keyword: Callable[..., Any]) -> Callable[..., Any]:
    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        validator.format_checker.step()
        return keyword(validator, value, instance, schema)

    return check


def _items(validator: Any, items: Any, instance: Any, schema: Any) -> Errors:
    """jsonschema's own makes the errors of a false schema for a whole array at once."""
    start = len(schema.get("prefixItems", ()))
    for index, item in enumerate(instance[start:] if isinstance(instance, list) else (), start):
        validator.format_checker.step()
        yield from validator.descend(item, items, path=index)


def _pattern(validator: Any, pattern: Any, instance: Any, schema: Any) -> Errors:
    if isinstance(instance, str) and validator.format_checker.patterns.matches(pattern, instance) is False:
        yield jsonschema.ValidationError(f"does not match {pattern!r}")


def _pattern_properties(validator: Any, parts: Any, instance: Any, schema: Any) -> Errors:
    if not isinstance(instance, dict):
        return
    run = validator.format_checker
    for pattern, part in parts.items():
        for name, item in instance.items():
            run.step()
            if run.patterns.matches(pattern, name):
                yield from validator.descend(item, part, path=name, schema_path=pattern)


def _additional_properties(validator: Any, rule: Any, instance: Any, schema: Any) -> Errors:
    for name in _additional(validator.format_checker, instance, schema):
        if rule is False:
            yield jsonschema.ValidationError(f"has {name!r}, which the schema does not allow")
        elif isinstance(rule, dict):
            yield from validator.descend(instance[name], rule, path=name)


def _additional(run: _Run, instance: Any, schema: Any) -> Iterator[str]:
    """The names of an object that no other part of the schema speaks of."""
    properties = schema.get("properties", {})
    for name in instance if isinstance(instance, dict) else ():
        run.step()
        if name in properties:
            continue
        if all(run.patterns.matches(pattern, name) is False for pattern in schema.get("patternProperties", ())):
            yield name


# Draft 2020-12 with every use of a keyword counted and every pattern run by RE2.
_VALIDATOR: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        **{name: _counted(keyword) for name, keyword in Draft202012Validator.VALIDATORS.items()},
        "items": _items,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    },
)


# Words whose values are data, where `$schema` is a key like any other.
_DATA = frozenset({"enum", "const", "default", "examples"})


def _undeclared(schema: Any) -> Any:
    """The schema without `$schema`: wherever that stands, jsonschema would go on with its own stock validator."""
    if isinstance(schema, list):
        return [_undeclared(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value if key in _DATA else _undeclared(value)
        for key, value in schema.items()
        if key != "$schema" or not isinstance(value, str)
    }


def _renamed_specification() -> tuple[Any, Any]:
    """(the metaschema, the registry of its parts) of draft 2020-12 under names of ours.

    Under their own names jsonschema prefers its own copies, which declare themselves and so leave our validator.
    """
    parts = {}
    for uri in SPECIFICATIONS:
        if _DRAFT in uri:
            text = json.dumps(_undeclared(SPECIFICATIONS.contents(uri)))
            parts[uri.replace(_DRAFT, _OURS)] = json.loads(text.replace(_DRAFT, _OURS))
    registry: Any = referencing.Registry()
    resources = ((uri, DRAFT202012.create_resource(contents)) for uri, contents in parts.items())
    return parts[f"{_OURS}schema"], registry.with_resources(resources)


_DRAFT = "https://json-schema.org/draft/2020-12/"
_OURS = "https://draft.invalid/2020-12/"
_META_SCHEMA, _META_REGISTRY = _renamed_specification()
_META_PATTERNS = _Patterns(_META_SCHEMA)


def _meta() -> Any:
    return _VALIDATOR(_META_SCHEMA, registry=_META_REGISTRY, format_checker=_Run(_META_PATTERNS))


def _require_inner_references(schema: Any, param: str) -> None:
    """Raises InvalidRequest for a reference that leaves the schema."""
    stack = [schema]
    while stack:
        part = stack.pop()
        if isinstance(part, list):
            stack.extend(part)
        elif isinstance(part, dict):
            for word in ("$ref", "$dynamicRef"):
                target = part.get(word)
                if isinstance(target, str) and not target.startswith("#"):
                    raise InvalidRequest(
                        f"{param} refers to {target[:100]!r}, which is not a place inside it.", param=param
                    )
            stack.extend(value for key, value in part.items() if key not in _DATA)
