"""Looks at a client's schema once, before anything else does: its size, and whether it is a schema at all.

The rules are those of the metaschema of draft 2020-12 (https://json-schema.org/draft/2020-12/schema), as a table: to
evaluate the metaschema itself costs 50 microseconds a keyword, and lets a schema choose how long that takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ...errors import InvalidRequest

# Characters of the names and strings of one schema, and one for each of its parts.
MAX_SIZE = 64 * 1024
# The same of all schemas of a request together.
MAX_TOTAL_SIZE = 256 * 1024
MAX_DEPTH = 100
# Members of any one list, such as an enum.
MAX_LIST = 2000
# Larger and, but for zero, smaller numbers leave what a computer can divide; whole ones have 64 bits.
MAX_NUMBER = 1e30
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**64 - 1
MAX_PATTERNS = 100

TYPES = ("string", "number", "integer", "object", "array", "boolean", "null")


@dataclass
class Allowance:
    """What the schemas of one request may hold together."""

    param: str
    size_left: int = MAX_TOTAL_SIZE
    patterns_left: int = MAX_PATTERNS

    def admit(self, schema: dict[str, Any], param: str) -> None:
        """Raises InvalidRequest with the field and the limit for a schema that is too large to be looked at."""
        self.size_left -= _size(schema, param)
        if self.size_left < 0:
            raise _beyond(self.param, f"has more than {MAX_TOTAL_SIZE} characters of schemas")
        self.patterns_left -= _pattern_count(schema)
        if self.patterns_left < 0:
            raise _beyond(self.param, f"has more than {MAX_PATTERNS} patterns")


def _beyond(param: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"{param} {what}.", param=param, code="schema_too_large")


def _size(schema: Any, param: str) -> int:
    """How large a schema is, its data included, since data is compared. Raises InvalidRequest as soon as it is too
    large, too deep, or holds a list or a number beyond the limits."""
    level, depth, size = [schema], 0, 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _beyond(param, f"is nested more than {MAX_DEPTH} levels deep")
        below: list[Any] = []
        for part in level:
            size += 1
            if isinstance(part, dict):
                size += sum(map(len, part))
                below.extend(part.values())
            elif isinstance(part, list):
                if len(part) > MAX_LIST:
                    raise _beyond(param, f"has a list of {len(part)} members; a list may have {MAX_LIST}")
                below.extend(part)
            elif isinstance(part, str):
                size += len(part)
            elif not _is_computable(part):
                raise _beyond(param, f"has a number beyond 64 bits or {MAX_NUMBER:.0e}")
            if size > MAX_SIZE:
                raise _beyond(param, f"has more than {MAX_SIZE} characters")
        level = below
    return size


def _is_computable(value: Any) -> bool:
    if isinstance(value, float):
        return value == 0 or 1 / MAX_NUMBER <= abs(value) <= MAX_NUMBER
    return not isinstance(value, int) or MIN_INTEGER <= value <= MAX_INTEGER


def _pattern_count(schema: Any) -> int:
    """How many patterns a schema has where they act, and not inside data."""
    found = 0
    for part in parts(schema):
        found += isinstance(part.get("pattern"), str)
        named = part.get("patternProperties")
        found += len(named) if isinstance(named, dict) else 0
    return found


# Keywords whose values are data and no schemas.
DATA = frozenset({"enum", "const", "default", "examples"})
# Keywords whose values are objects of schemas, by any names: a property may be called "enum" or "pattern".
NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object in a schema that may act as one; it need not be well-formed."""
    stack = [schema]
    while stack:
        part = stack.pop()
        if isinstance(part, list):
            stack.extend(part)
        elif isinstance(part, dict):
            yield part
            for keyword, value in part.items():
                if keyword in NAMED and isinstance(value, dict):
                    stack.extend(value.values())
                elif keyword not in DATA:
                    stack.append(value)


@dataclass
class Reading:
    """What one walk over a well-formed schema found."""

    patterns: dict[str, None] = field(default_factory=dict)


class NotASchema(Exception):
    """`place` is a path such as `.properties.a.minimum`; the text says what is wrong there."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(what)
        self.place = place


def read(schema: Any, *, is_older_draft: bool = False) -> Reading:
    """Raises NotASchema. Drafts before 2020-12 also wrote open ends as booleans, and `items` as a list."""
    reading = Reading()
    rules = _OLDER if is_older_draft else _RULES
    stack: list[tuple[str, Any]] = [("", schema)]
    while stack:
        place, part = stack.pop()
        if isinstance(part, bool):
            continue
        if not isinstance(part, dict):
            raise NotASchema(place, f"{_shown(part)} is not an object or a boolean")
        for key, value in part.items():
            rule = rules.get(key)
            if rule is not None:
                rule(f"{place}.{key}", value, stack)
        if isinstance(part.get("pattern"), str):
            reading.patterns[part["pattern"]] = None
        reading.patterns.update(dict.fromkeys(part.get("patternProperties", ())))
    return reading


def _shown(value: Any) -> str:
    return repr(value)[:100]


Stack = list[tuple[str, Any]]
Rule = Callable[[str, Any, Stack], None]


def _require(is_right: bool, place: str, value: Any, wanted: str) -> None:
    if not is_right:
        raise NotASchema(place, f"{_shown(value)} is not {wanted}")


def _schema(place: str, value: Any, stack: Stack) -> None:
    stack.append((place, value))


def _schemas(place: str, value: Any, stack: Stack) -> None:
    _require(isinstance(value, list) and len(value) > 0, place, value, "a non-empty list of schemas")
    stack.extend((f"{place}[{index}]", part) for index, part in enumerate(value))


def _named_schemas(place: str, value: Any, stack: Stack) -> None:
    _require(isinstance(value, dict), place, value, "an object of schemas")
    stack.extend((f"{place}.{name}", part) for name, part in value.items())


def _schema_or_list(place: str, value: Any, stack: Stack) -> None:
    if isinstance(value, list):
        stack.extend((f"{place}[{index}]", part) for index, part in enumerate(value))
    else:
        stack.append((place, value))


def _names(place: str, value: Any, stack: Stack) -> None:
    is_list = isinstance(value, list) and all(isinstance(name, str) for name in value)
    _require(is_list and len(set(value)) == len(value), place, value, "a list of different strings")


def _lists_of_names(place: str, value: Any, stack: Stack) -> None:
    _require(isinstance(value, dict), place, value, "an object of lists of strings")
    for name, names in value.items():
        _names(f"{place}.{name}", names, stack)


def _dependencies(place: str, value: Any, stack: Stack) -> None:
    _require(isinstance(value, dict), place, value, "an object of schemas or lists of strings")
    for name, part in value.items():
        (_names if isinstance(part, list) else _schema)(f"{place}.{name}", part, stack)


def _type(place: str, value: Any, stack: Stack) -> None:
    kinds = value if isinstance(value, list) else [value]
    are_known = len(kinds) > 0 and all(isinstance(kind, str) and kind in TYPES for kind in kinds)
    _require(are_known and len(set(kinds)) == len(kinds), place, value, f"one or several of {', '.join(TYPES)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _number(place: str, value: Any, stack: Stack) -> None:
    _require(_is_number(value), place, value, "a number")


def _positive(place: str, value: Any, stack: Stack) -> None:
    _require(_is_number(value) and value > 0, place, value, "a number above 0")


def _count(place: str, value: Any, stack: Stack) -> None:
    _require(_is_number(value) and value >= 0 and value == int(value), place, value, "a whole number from 0 up")


def _number_or_boolean(place: str, value: Any, stack: Stack) -> None:
    _require(isinstance(value, bool) or _is_number(value), place, value, "a number or a boolean")


def _string(place: str, value: Any, stack: Stack) -> None:
    _require(isinstance(value, str), place, value, "a string")


def _boolean(place: str, value: Any, stack: Stack) -> None:
    _require(isinstance(value, bool), place, value, "true or false")


def _list(place: str, value: Any, stack: Stack) -> None:
    _require(isinstance(value, list), place, value, "a list")


def _rules(rows: tuple[tuple[Rule, str], ...]) -> dict[str, Rule]:
    return {keyword: rule for rule, keywords in rows for keyword in keywords.split()}


_RULES = _rules(
    (
        (
            _schema,
            "items additionalProperties contains not if then else propertyNames unevaluatedItems unevaluatedProperties"
            " contentSchema",
        ),
        (_schemas, "allOf anyOf oneOf prefixItems"),
        (_named_schemas, " ".join(NAMED)),
        (_names, "required"),
        (_lists_of_names, "dependentRequired"),
        (_dependencies, "dependencies"),
        (_type, "type"),
        (_number, "minimum maximum exclusiveMinimum exclusiveMaximum"),
        (_positive, "multipleOf"),
        (_count, "minLength maxLength minItems maxItems minProperties maxProperties minContains maxContains"),
        (
            _string,
            "pattern format title description contentEncoding contentMediaType $ref $dynamicRef $anchor $dynamicAnchor"
            " $id $schema $comment",
        ),
        (_boolean, "uniqueItems deprecated readOnly writeOnly"),
        (_list, "enum examples"),
    )
)
_OLDER = {
    **_RULES,
    "items": _schema_or_list,
    "additionalItems": _schema,
    "exclusiveMinimum": _number_or_boolean,
    "exclusiveMaximum": _number_or_boolean,
}
