"""jsonschema's validators with every step counted, every pattern run by RE2, and nothing quadratic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

import jsonschema
import msgspec
from referencing.exceptions import Unresolvable

from . import patterns
from .time_budget import TooCostly

Errors = Iterator[jsonschema.ValidationError]
# (validator, the keyword's value, instance, schema) -> errors, as jsonschema calls it.
Keyword = Callable[[Any, Any, Any, Any], Any]


class Steps(jsonschema.FormatChecker):
    """Counts one run of a validator; it rides where jsonschema hands a format checker to every part."""

    def __init__(self, most: int, *, per_turn: int, let_others_run: Callable[[], None]) -> None:
        super().__init__(formats=())
        self._left = most
        self._per_turn = per_turn
        self._let_others_run = let_others_run

    def step(self) -> None:
        """Raises TooCostly once there are too many."""
        self._left -= 1
        if self._left < 0:
            raise TooCostly("it takes too many steps")
        if self._left % self._per_turn == 0:
            self._let_others_run()


@lru_cache(maxsize=16)
def bounded(draft: Any, pattern: Keyword | None = None) -> Any:
    """The validator class of a draft, for a `format_checker` that is a `Steps`. `pattern` replaces that keyword."""
    ours = {**_OURS, "pattern": pattern or _pattern}
    keywords = {name: _counted(ours.get(name, keyword)) for name, keyword in draft.VALIDATORS.items()}
    made = jsonschema.validators.extend(draft, keywords)  # type: ignore[no-untyped-call]
    made.evolve = _evolved
    return made


def _evolved(validator: Any, **changes: Any) -> Any:
    """The validator of a part. jsonschema's own goes on with the stock validator of a draft wherever a part, or what a
    reference finds in data, declares one by `$schema`; that one counts nothing and runs patterns by Python's `re`."""
    for field in type(validator).__attrs_attrs__:
        if field.init:
            changes.setdefault(field.alias, getattr(validator, field.name))
    return type(validator)(**changes)


def _counted(keyword: Keyword) -> Keyword:
    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        validator.format_checker.step()
        return keyword(validator, value, instance, schema)

    return check


def _items(validator: Any, items: Any, instance: Any, schema: Any) -> Errors:
    """jsonschema's own makes the errors of a false schema for a whole array at once."""
    if not isinstance(instance, list):
        return
    if isinstance(items, list):  # Drafts before 2020-12.
        for index, (item, part) in enumerate(zip(instance, items, strict=False)):
            yield from validator.descend(item, part, path=index, schema_path=index)
        return
    start = len(schema.get("prefixItems", ()))
    for index, item in enumerate(instance[start:], start):
        validator.format_checker.step()
        yield from validator.descend(item, items, path=index)


def _unique_items(validator: Any, is_wanted: Any, instance: Any, schema: Any) -> Errors:
    if not is_wanted or not isinstance(instance, list):
        return
    seen: set[bytes] = set()
    for item in instance:
        validator.format_checker.step()
        key = canonical(item)
        if key in seen:
            yield jsonschema.ValidationError("has the same item twice")
            return
        seen.add(key)


def canonical(value: Any) -> bytes:
    """The same bytes for values that JSON Schema calls equal: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    elif isinstance(value, list):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    elif isinstance(value, dict):
        parts = (msgspec.json.encode(name) + b":" + canonical(value[name]) for name in sorted(value))
        return b"{" + b",".join(parts) + b"}"
    return msgspec.json.encode(value)


def _pattern(validator: Any, pattern: Any, instance: Any, schema: Any) -> Errors:
    if isinstance(instance, str) and patterns.matches(pattern, instance) is False:
        yield jsonschema.ValidationError(f"does not match {pattern!r}")


def _pattern_properties(validator: Any, parts: Any, instance: Any, schema: Any) -> Errors:
    if not isinstance(instance, dict):
        return
    for pattern, part in parts.items():
        for name, item in instance.items():
            validator.format_checker.step()
            if patterns.matches(pattern, name):
                yield from validator.descend(item, part, path=name, schema_path=pattern)


def _additional_properties(validator: Any, rule: Any, instance: Any, schema: Any) -> Errors:
    for name in _additional(validator, instance, schema):
        if rule is False:
            yield jsonschema.ValidationError(f"has {name!r}, which the schema does not allow")
        elif isinstance(rule, dict):
            yield from validator.descend(instance[name], rule, path=name)


def _additional(validator: Any, instance: Any, schema: Any) -> Iterator[str]:
    """The names of an object that no other part of the schema speaks of."""
    properties = schema.get("properties", {})
    for name in instance if isinstance(instance, dict) else ():
        validator.format_checker.step()
        if name in properties:
            continue
        if all(patterns.matches(pattern, name) is False for pattern in schema.get("patternProperties", ())):
            yield name


def _unevaluated_properties(validator: Any, rule: Any, instance: Any, schema: Any) -> Errors:
    if not isinstance(instance, dict):
        return
    evaluated = _evaluated_names(validator, instance, {**schema, "unevaluatedProperties": None})
    for name in instance:
        validator.format_checker.step()
        if name in evaluated:
            continue
        if rule is False:
            yield jsonschema.ValidationError(f"has {name!r}, which no part of the schema allows")
        else:
            yield from validator.descend(instance[name], rule, path=name, schema_path=name)


def _evaluated_names(validator: Any, instance: dict[str, Any], schema: Any) -> set[str]:
    """The names that some part of the schema which holds speaks of (draft 2020-12, core, section 11.3).

    The schema itself holds, or is the one whose own `unevaluatedProperties` (None here) is at work.

    jsonschema's own matches `patternProperties` by Python's `re`, which a client's pattern can keep busy for hours.
    """
    validator.format_checker.step()
    if not isinstance(schema, dict):
        return set()
    if "additionalProperties" in schema or schema.get("unevaluatedProperties") is not None:
        return set(instance)
    names = {name for name in schema.get("properties", ()) if name in instance}
    for pattern in schema.get("patternProperties", ()):
        for name in instance:
            validator.format_checker.step()
            if patterns.matches(pattern, name):
                names.add(name)
    for inner, part in _parts_that_hold(validator, instance, schema):
        names |= _evaluated_names(inner, instance, part)
    for name, part in schema.get("dependentSchemas", {}).items():
        if name in instance:
            names |= _evaluated_names(validator, instance, part)
    return names


def _unevaluated_items(validator: Any, rule: Any, instance: Any, schema: Any) -> Errors:
    if not isinstance(instance, list):
        return
    evaluated = _evaluated_indexes(validator, instance, {**schema, "unevaluatedItems": None})
    for index, item in enumerate(instance):
        validator.format_checker.step()
        if index not in evaluated:
            yield from validator.descend(item, rule, path=index)


def _evaluated_indexes(validator: Any, instance: list[Any], schema: Any) -> set[int]:
    validator.format_checker.step()
    if not isinstance(schema, dict):
        return set()
    if "items" in schema or schema.get("unevaluatedItems") is not None:
        return set(range(len(instance)))
    indexes = set(range(min(len(schema.get("prefixItems", ())), len(instance))))
    if "contains" in schema:
        fits = validator.evolve(schema=schema["contains"]).is_valid
        indexes |= {index for index, item in enumerate(instance) if fits(item)}
    for inner, part in _parts_that_hold(validator, instance, schema):
        indexes |= _evaluated_indexes(inner, instance, part)
    return indexes


def _parts_that_hold(validator: Any, instance: Any, schema: dict[str, Any]) -> Iterable[tuple[Any, Any]]:
    """(validator, subschema) for what applies to the same instance in place, and holds for it."""
    for keyword in ("$ref", "$dynamicRef"):
        if keyword in schema:
            try:
                resolved = validator._resolver.lookup(schema[keyword])
            except Unresolvable:
                continue
            yield validator.evolve(schema=resolved.contents, _resolver=resolved.resolver), resolved.contents
    for keyword in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(keyword, ()):
            inner = validator.evolve(schema=part)
            if inner.is_valid(instance):
                yield inner, part
    if "if" in schema:
        condition = validator.evolve(schema=schema["if"])
        if condition.is_valid(instance):
            yield condition, schema["if"]
            chosen = "then"
        else:
            chosen = "else"
        if chosen in schema:
            yield validator.evolve(schema=schema[chosen]), schema[chosen]


_OURS: dict[str, Keyword] = {
    "items": _items,
    "uniqueItems": _unique_items,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "unevaluatedProperties": _unevaluated_properties,
    "unevaluatedItems": _unevaluated_items,
}
