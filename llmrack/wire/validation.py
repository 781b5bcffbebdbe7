"""Whether an answer holds what the client's JSON Schema asks for, at a cost the schema's author cannot drive up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import re2  # type: ignore[import-untyped]
import referencing
from jsonschema import Draft202012Validator

from ..errors import InvalidRequest

# Steps of the validator for one answer. A schema of a hundred fields with a thousand rows takes about 200,000.
MAX_STEPS = 400_000
MAX_PATTERN = 1000

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 1 << 20


_META = Draft202012Validator(Draft202012Validator.META_SCHEMA)

Errors = Iterator[jsonschema.ValidationError]


class _TooCostly(Exception):
    """The schema makes checking this answer endless."""


class Checker:
    """A client's schema, ready to judge answers. Raises InvalidRequest with `param` for what is not a schema.

    `loose` names the words that could not be enforced: patterns that need back-references or look-around, which no
    matcher runs in bounded time.
    """

    def __init__(self, schema: dict[str, Any], param: str) -> None:
        try:
            _META.validate(schema)
        except jsonschema.ValidationError as exc:
            place = exc.json_path.removeprefix("$")
            raise InvalidRequest(f"{param}{place} is not valid JSON Schema: {exc.message[:200]}", param=param) from None
        except RecursionError:
            raise InvalidRequest(f"{param} is nested too deeply.", param=param) from None
        patterns = _Patterns(schema)
        self.loose: tuple[str, ...] = ("pattern",) if patterns.has_loose else ()
        self._schema = schema
        self._keywords = _Keywords(patterns)
        self._validator: Any = None

    def fault(self, value: Any) -> str | None:
        """What is wrong with a value, in words; None when it validates."""
        if self._validator is None:
            kind = self._keywords.validator()
            # An empty registry: a reference to another host is an error and never a download.
            self._validator = kind(self._schema, registry=referencing.Registry())
        self._keywords.steps = 0
        try:
            error = next(self._validator.iter_errors(value), None)
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


class _Keywords:
    """The words of draft 2020-12, with every use counted and every pattern run by RE2."""

    def __init__(self, patterns: _Patterns) -> None:
        self.steps = 0
        self._patterns = patterns

    def validator(self) -> Any:
        keywords = {name: self._counted(check) for name, check in Draft202012Validator.VALIDATORS.items()}
        keywords["pattern"] = self._pattern
        keywords["patternProperties"] = self._pattern_properties
        keywords["additionalProperties"] = self._additional_properties
        return jsonschema.validators.extend(Draft202012Validator, keywords)  # type: ignore[no-untyped-call]

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise _TooCostly

    def _counted(self, keyword: Callable[..., Any]) -> Callable[..., Any]:
        def check(*arguments: Any) -> Any:
            self._step()
            return keyword(*arguments)

        return check

    def _pattern(self, validator: Any, pattern: Any, instance: Any, schema: Any) -> Errors:
        if isinstance(instance, str) and self._patterns.matches(pattern, instance) is False:
            yield jsonschema.ValidationError(f"does not match {pattern!r}")

    def _pattern_properties(self, validator: Any, parts: Any, instance: Any, schema: Any) -> Errors:
        if not isinstance(instance, dict):
            return
        for pattern, part in parts.items():
            for name, item in instance.items():
                self._step()
                if self._patterns.matches(pattern, name):
                    yield from validator.descend(item, part, path=name, schema_path=pattern)

    def _additional_properties(self, validator: Any, rule: Any, instance: Any, schema: Any) -> Errors:
        for name in self._additional(instance, schema):
            if rule is False:
                yield jsonschema.ValidationError(f"has {name!r}, which the schema does not allow")
            elif isinstance(rule, dict):
                yield from validator.descend(instance[name], rule, path=name)

    def _additional(self, instance: Any, schema: Any) -> Iterator[str]:
        """The names of an object that no other part of the schema speaks of."""
        properties = schema.get("properties", {})
        for name in instance if isinstance(instance, dict) else ():
            self._step()
            if name in properties:
                continue
            if all(self._patterns.matches(pattern, name) is False for pattern in schema.get("patternProperties", ())):
                yield name
