"""Values that may fit a JSON Schema, best first. Whether one does is for `checks` to say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

from referencing import Registry
from referencing.jsonschema import specification_with

from ....wire.json_schema.patterns import compiled, matches
from . import merging, patterns
from .checks import MAX_NAME, Budget, NoInstance
from .formats import FORMATS
from .hints import Hints

# Optional properties stop below this depth, so that a tree whose nodes hold nodes ends.
FULL_DEPTH = 4
# A required property that needs itself has no finite value; this deep we stop looking for one.
MAX_DEPTH = 24
MAX_TRIES = 48
# More properties or items than this are beyond a rehearsal.
MAX_ITEMS = 1_000
# More characters than this are beyond a rehearsal.
MAX_LENGTH = 20_000
_SCALARS_FIRST = {"null": 0, "boolean": 1, "integer": 1, "number": 1, "string": 1, "array": 2, "object": 3}


class Maker:
    """Makes candidates for one schema and its subschemas, with values from one text."""

    def __init__(self, validator: Any, hints: Hints, budget: Budget) -> None:
        self._validator = validator
        self._hints = hints
        self._budget = budget
        rules = specification_with(validator.META_SCHEMA["$schema"])
        self._resolver = Registry[Any]().resolver_with_root(rules.create_resource(validator.schema))

    def make(self) -> Any:
        """A value for the whole schema; NoInstance when no candidate fits."""
        return self.first(self._validator.schema, "value", 0)

    def first(self, schema: Any, name: str, depth: int, taken: tuple[Any, ...] = ()) -> Any:
        """The first candidate that fits, preferably not one of `taken`; NoInstance when none does."""
        if depth > MAX_DEPTH:
            raise NoInstance
        repeated: list[Any] = []
        fits = self._validator.evolve(schema=schema).is_valid
        for value in islice(self.candidates(schema, name, depth), MAX_TRIES + len(taken)):
            if value in taken:
                repeated.append(value)
            elif fits(value):
                return value
        for value in repeated[:1]:
            if fits(value):
                return value
        raise NoInstance

    def candidates(self, schema: Any, name: str, depth: int) -> Iterator[Any]:
        self._budget.spend()
        if schema is False:
            return
        if schema is True:
            schema = {}
        if "const" in schema:
            yield schema["const"]
        elif "enum" in schema:
            yield from sorted(schema["enum"], key=lambda value: not self._hints.mentions(value))
        # Choices are made before parts are joined: two parts may each hold a choice, and only one fits into a schema.
        elif choice := next((key for key in ("oneOf", "anyOf") if key in schema), None):
            yield from self._chosen(schema, choice, name, depth)
        elif "if" in schema:
            yield from self._conditional(schema, name, depth)
        elif combined := next((key for key in ("$ref", "$dynamicRef", "allOf") if key in schema), None):
            yield from self.candidates(self._flattened(schema, combined), name, depth)
        else:
            yield from self._plain(schema, name, depth)

    def _flattened(self, schema: dict[str, Any], key: str) -> Any:
        rest = {other: value for other, value in schema.items() if other != key}
        parts = schema["allOf"] if key == "allOf" else [self._resolver.lookup(schema[key]).contents]
        return merging.merge(rest, *parts)

    def _chosen(self, schema: dict[str, Any], key: str, name: str, depth: int) -> Iterator[Any]:
        rest = {other: value for other, value in schema.items() if other != key}
        branches = schema[key]
        if depth >= FULL_DEPTH:
            branches = sorted(branches, key=merging.weight)
        for each in (4, MAX_TRIES):
            for branch in branches:
                yield from islice(self.candidates(merging.merge(rest, branch), name, depth), each)

    def _conditional(self, schema: dict[str, Any], name: str, depth: int) -> Iterator[Any]:
        rest = {key: value for key, value in schema.items() if key not in ("if", "then", "else")}
        ways = [[rest, schema["if"], schema.get("then", True)], [rest, schema.get("else", True)], [rest]]
        for way in ways:
            yield from islice(self.candidates(merging.merge(*way), name, depth), MAX_TRIES // 3)

    def _plain(self, schema: dict[str, Any], name: str, depth: int) -> Iterator[Any]:
        types = merging.types(schema)
        if depth >= FULL_DEPTH:
            types = sorted(types, key=_SCALARS_FIRST.__getitem__)
        given = [schema["default"]] if "default" in schema else []
        given += schema["examples"][:3] if isinstance(schema.get("examples"), list) else []
        makers = {
            "object": self._objects,
            "array": self._arrays,
            "string": self._strings,
            "integer": self._numbers,
            "number": self._numbers,
        }
        said = self._said(schema, types, name)
        yield from said
        yield from given
        for kind in types:
            if kind == "null":
                yield None
            elif kind == "boolean":
                yield from (True, False)
            else:
                yield from islice(makers[kind](schema, name, depth), MAX_TRIES if len(types) == 1 else 12)

    def _said(self, schema: dict[str, Any], types: list[str], name: str) -> list[Any]:
        """What the text says, for a string or a number; a whole question is no better than a default."""
        if "string" in types:
            if "format" in schema:
                return list(self._hints.formatted(schema["format"]))
            found = self._hints.strings(name) if "pattern" not in schema or self._is_safe(schema) else []
            return [text[: schema.get("maxLength", MAX_LENGTH)] for text in found]
        if "integer" in types or "number" in types:
            return [int(n) if n.is_integer() else n for n in self._hints.numbers(name)]
        return []

    @staticmethod
    def _is_safe(schema: dict[str, Any]) -> bool:
        return compiled(schema["pattern"]) is not None

    def _objects(self, schema: dict[str, Any], name: str, depth: int) -> Iterator[dict[str, Any]]:
        if "dependentSchemas" in schema:
            rest = {key: value for key, value in schema.items() if key != "dependentSchemas"}
            yield from islice(self._objects(merging.merge(rest, *schema["dependentSchemas"].values()), name, depth), 4)
        made = Properties(self, schema, depth)
        wanted = [*schema.get("properties", ()), *schema.get("required", ())]
        required = [key for key in wanted if key in schema.get("required", ())]
        if depth < FULL_DEPTH:
            yield from made.build(wanted)
        yield from made.build(required)
        for key in list(dict.fromkeys(wanted))[:8]:
            yield from made.build([other for other in wanted if other != key or other in required])
            for other in made.others(key):
                yield from made.build(wanted, {key: other})
                yield from made.build(required, {key: other})

    def _arrays(self, schema: dict[str, Any], name: str, depth: int) -> Iterator[list[Any]]:
        prefix = schema.get("prefixItems", schema["items"] if isinstance(schema.get("items"), list) else [])
        item = schema.get("items", True)
        item = schema.get("additionalItems", True) if isinstance(item, list) else item
        least, most = int(schema.get("minItems", 0)), int(schema.get("maxItems", MAX_ITEMS))
        usual = max(len(prefix), len(self._hints.strings(name)[:5]) or 1) if depth < FULL_DEPTH else 0
        for count in dict.fromkeys((max(least, min(usual, most)), max(least, min(len(prefix), most)), least)):
            if count > MAX_ITEMS:
                raise NoInstance
            try:
                yield self._items(schema, [*prefix[:count], *[item] * (count - len(prefix))], name, depth)
            except NoInstance:
                continue

    def _items(self, schema: dict[str, Any], parts: list[Any], name: str, depth: int) -> list[Any]:
        values: list[Any] = []
        for _ in range(int(schema.get("minContains", 1)) if "contains" in schema else 0):
            wanted = merging.merge(schema["contains"], parts[len(values)] if len(values) < len(parts) else True)
            values.append(self.first(wanted, name, depth + 1, tuple(values)))
        for part in parts[len(values) :]:
            values.append(self.first(part, name, depth + 1, tuple(values)))
        return values

    def _strings(self, schema: dict[str, Any], name: str, depth: int) -> Iterator[str]:
        least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", MAX_LENGTH))
        if least > MAX_LENGTH:
            raise NoInstance
        if "pattern" in schema:
            yield from patterns.examples(schema["pattern"], least)
        elif schema.get("format") in FORMATS:
            yield from (FORMATS[schema["format"]].example(n) for n in range(MAX_ITEMS))
        for n in range(1, MAX_ITEMS):
            text = f"{'example ' + name.replace('_', ' ') if n == 1 else f'{n} {name}'}"[:MAX_NAME]
            yield (text + "." * (least - len(text)))[:most]

    def _numbers(self, schema: dict[str, Any], name: str, depth: int) -> Iterator[float]:
        low, high = _bounds(schema)
        step = schema.get("multipleOf", 1)
        start = max(low, 1 if high >= 1 else -math.inf)
        if math.isinf(start):
            start = high
        first, sign = (
            (math.ceil(start / step), 1) if start < high or high == math.inf else (math.floor(high / step), -1)
        )
        yield from (_whole((first + sign * n) * step) for n in range(MAX_TRIES // 3))
        yield from map(_whole, (low, high, (low + high) / 2, 0) if math.isfinite(low + high) else (0,))
        yield from (_whole((first + sign * n) * step) for n in range(MAX_TRIES // 3, MAX_ITEMS))


def _bounds(schema: dict[str, Any]) -> tuple[float, float]:
    """The closed range, or the open range's ends moved a little; draft 4 wrote open ends as booleans."""
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    over, under = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if over is not None and over is not False:
        low = max(low, (low if over is True else over) + 1e-3)
    if under is not None and under is not False:
        high = min(high, (high if under is True else under) - 1e-3)
    return low, high


def _whole(number: float) -> float:
    return int(number) if math.isfinite(number) and float(number).is_integer() else number


class Properties:
    """The properties of one object, each made once."""

    def __init__(self, maker: Maker, schema: dict[str, Any], depth: int) -> None:
        self._maker = maker
        self._schema = schema
        self._depth = depth
        self._made: dict[str, Any] = {}

    def build(self, wanted: list[str], fixed: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """At most one object with the wanted properties, fewer or more where counts demand it."""
        required = self._schema.get("required", ())
        most = int(self._schema.get("maxProperties", MAX_ITEMS))
        chosen: dict[str, Any] = {}
        for key in dict.fromkeys(wanted):
            if key not in required and len(chosen) + sum(1 for k in required if k not in chosen) >= most:
                continue
            try:
                chosen[key] = fixed[key] if fixed and key in fixed else self._value(key)
            except NoInstance:
                if key in required:
                    return
        try:
            yield {**chosen, **self._extra(chosen)}
        except NoInstance:
            return

    def others(self, key: str) -> list[Any]:
        """Two more values for a property, for objects whose rules refuse the first."""
        found = self._maker.candidates(self._rule(key), key, self._depth + 1)
        return list(islice(found, 1, 3))

    def _value(self, key: str) -> Any:
        if key not in self._made:
            self._made[key] = self._maker.first(self._rule(key), key, self._depth + 1)
        return self._made[key]

    def _rule(self, key: str) -> Any:
        named = [self._schema["properties"][key]] if key in self._schema.get("properties", ()) else []
        if len(key) <= MAX_NAME:
            by_pattern = self._schema.get("patternProperties") or {}
            named += [rule for pattern, rule in by_pattern.items() if matches(pattern, key)]
        return merging.merge(*named) if named else self._schema.get("additionalProperties", True)

    def _extra(self, chosen: dict[str, Any]) -> dict[str, Any]:
        missing = int(self._schema.get("minProperties", 0)) - len(chosen)
        if missing > MAX_ITEMS:
            raise NoInstance
        extra: dict[str, Any] = {}
        names = self._names()
        while len(extra) < missing:
            key = next((name for name in names if name not in chosen and name not in extra), None)
            if key is None:
                raise NoInstance
            extra[key] = self._value(key)
        return extra

    def _names(self) -> Iterator[str]:
        yield from (key for key in self._schema.get("properties", ()))
        for pattern in self._schema.get("patternProperties") or ():
            yield from (name for name in patterns.examples(pattern) if len(name) <= MAX_NAME)
        names = self._maker.candidates(
            merging.merge({"type": "string"}, self._schema.get("propertyNames", True)), "property", 0
        )
        yield from (name for name in names if isinstance(name, str) and len(name) <= MAX_NAME)
