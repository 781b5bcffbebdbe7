"""JSON Schemas from clients, made plain: references written out for every model, and the part that Ollama's
constrained decoding understands (common/json-schema-to-grammar.cpp of ggml-org/llama.cpp) for answers."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from ...errors import InvalidRequest
from . import patterns

# Written out, a schema may have this many parts; more is a mistake or an attack (references can double at each step).
MAX_PARTS = 5000
# How often a reference is followed inside itself before the rest is left open.
MAX_RECURSION = 2
# Larger repetitions make grammars that the model server refuses or chokes on. What is left out here is still checked
# when the answer is there.
MAX_REPEAT = 200
MAX_INTEGER = 2**53

ANYTHING: dict[str, Any] = {"type": ["object", "array", "string", "number", "boolean", "null"]}


class Budget:
    """How many parts schemas may have in all. Spending more raises InvalidRequest with `param`."""

    def __init__(self, param: str, parts: int = MAX_PARTS) -> None:
        self._param = param
        self._parts = parts
        self._left = parts

    def spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise InvalidRequest(
                f"{self._param} has more than {self._parts} parts once its references are written out.",
                param=self._param,
            )


def inline(schema: dict[str, Any], param: str, budget: Budget | None = None) -> dict[str, Any]:
    """The schema without `$ref`, `const`, `allOf` and `oneOf`. Raises InvalidRequest with `param`.

    {"$ref": "#/$defs/A"} becomes A's own text, {"const": 1} becomes {"enum": [1]}, `allOf` is merged, and `oneOf`
    becomes `anyOf`, which is what models and grammars can follow.
    """
    return _Inliner(schema, param, budget or Budget(param)).plain(schema, ())


class _Inliner:
    def __init__(self, root: dict[str, Any], param: str, budget: Budget) -> None:
        self._root = root
        self._param = param
        self._budget = budget

    def plain(self, schema: Any, path: tuple[str, ...]) -> dict[str, Any]:
        self._budget.spend()
        if not isinstance(schema, dict):
            return {}
        if "$ref" in schema:
            return self._referred(schema, path)
        merged = dict(schema)
        for part in _dicts(merged.pop("allOf", None)):
            _merge(merged, self.plain(part, path))
        return self._parts_of(merged, path)

    def _referred(self, schema: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        reference = schema["$ref"]
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        if path.count(str(reference)) > MAX_RECURSION:
            return self.plain(beside, path)
        target = self._target(reference)
        if not isinstance(target, dict):
            target = {}
        return self.plain({**target, **beside}, (*path, reference))

    def _target(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise self._unknown(reference)
        target: Any = self._root
        for step in reference[1:].split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(target, dict) and step in target:
                target = target[step]
            elif isinstance(target, list) and step.isdigit() and int(step) < len(target):
                target = target[int(step)]
            else:
                raise self._unknown(reference)
        if reference != "#" and not reference.startswith("#/"):
            raise self._unknown(reference)
        return target

    def _unknown(self, reference: Any) -> InvalidRequest:
        return InvalidRequest(
            f"{self._param} refers to {str(reference)[:100]!r}, which is not a place inside it.", param=self._param
        )

    def _parts_of(self, schema: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for key, value in schema.items():
            if key in ("$defs", "definitions", "$schema", "$id", "$comment"):
                continue
            if key == "const":
                plain["enum"] = [value]
            elif key in ("anyOf", "oneOf"):
                plain["anyOf"] = [self.plain(part, path) for part in value] if isinstance(value, list) else []
            elif key in ("properties", "patternProperties") and isinstance(value, dict):
                plain[key] = {name: self.plain(part, path) for name, part in value.items()}
            elif key == "prefixItems" and isinstance(value, list):
                plain[key] = [self.plain(part, path) for part in value]
            elif key == "items" and isinstance(value, list):
                plain["prefixItems"] = [self.plain(part, path) for part in value]
            elif key in ("items", "additionalProperties") and isinstance(value, dict):
                plain[key] = self.plain(value, path)
            else:
                plain[key] = value
        return plain


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _merge(into: dict[str, Any], part: dict[str, Any]) -> None:
    for key, value in part.items():
        known = into.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            into[key] = {**value, **known}
        elif key == "required" and isinstance(known, list) and isinstance(value, list):
            into[key] = list(dict.fromkeys(name for name in (*known, *value) if isinstance(name, str)))
        else:
            into.setdefault(key, value)


def to_grammar(schema: dict[str, Any], budget: Budget) -> dict[str, Any]:
    """An inlined schema reduced to what the model server can turn into a grammar.

    It refuses a schema it does not recognise as a whole, so everything doubtful is left out; the finished answer is
    checked against the original. Raises InvalidRequest when the grammar would outgrow the budget.
    """
    return _Grammar(budget).of(schema)


class _Grammar:
    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def of(self, schema: Any) -> dict[str, Any]:
        self._budget.spend()
        if not isinstance(schema, dict):
            schema = {}
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return {"enum": schema["enum"]}
        if choices := _dicts(schema.get("anyOf")):
            # What stands beside the choices holds for each of them.
            beside = {key: value for key, value in schema.items() if key != "anyOf"}
            return {"anyOf": [self.of(_beside(choice, beside)) for choice in choices]}
        kinds = _kinds(schema)
        grammars = [{"type": kind, **self._kind(kind, schema)} for kind in kinds]
        return grammars[0] if len(grammars) == 1 else {"anyOf": grammars}

    def _kind(self, kind: str, schema: dict[str, Any]) -> dict[str, Any]:
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            return self._array(schema)
        if kind == "string":
            return _string(schema)
        return _integer(schema) if kind == "integer" else {}

    def _object(self, schema: dict[str, Any]) -> dict[str, Any]:
        properties = schema.get("properties")
        more = schema.get("additionalProperties")
        kept: dict[str, Any] = {}
        if isinstance(properties, dict) and (properties or more is False):
            required = schema.get("required")
            names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
            # A required name without a schema of its own may have any value, but the grammar must know it.
            named = {**properties, **{name: {} for name in names if name not in properties}}
            kept["properties"] = {name: self.of(part) for name, part in named.items()}
            if names:
                kept["required"] = names
        if isinstance(more, dict):
            kept["additionalProperties"] = self.of(more)
        elif more is False:
            kept["additionalProperties"] = False
        return kept

    def _array(self, schema: dict[str, Any]) -> dict[str, Any]:
        if parts := _dicts(schema.get("prefixItems")):
            return {"prefixItems": [self.of(part) for part in parts]}
        if not {"items", "minItems", "maxItems"} & schema.keys():
            return {}
        return {"items": self.of(schema.get("items")), **_bounds(schema, ("minItems", "maxItems"), MAX_REPEAT)}


def _beside(choice: dict[str, Any], beside: dict[str, Any]) -> dict[str, Any]:
    merged = dict(choice)
    _merge(merged, beside)
    return merged


_KINDS = ("object", "array", "string", "integer", "number", "boolean", "null")


def _kinds(schema: dict[str, Any]) -> list[str]:
    """The types a schema allows; where it names none, what its other words are about."""
    named = schema.get("type")
    kinds = [kind for kind in (named if isinstance(named, list) else [named]) if kind in _KINDS]
    if kinds:
        return kinds
    if "properties" in schema or isinstance(schema.get("additionalProperties"), dict):
        return ["object"]
    if "items" in schema or "prefixItems" in schema:
        return ["array"]
    if "pattern" in schema or "minLength" in schema or "maxLength" in schema:
        return ["string"]
    return list(ANYTHING["type"])


def _string(schema: dict[str, Any]) -> dict[str, Any]:
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and _is_plain_pattern(pattern):
        return {"pattern": pattern}
    if schema.get("format") in ("date", "time", "date-time", "uuid"):
        return {"format": schema["format"]}
    return _bounds(schema, ("minLength", "maxLength"), MAX_REPEAT)


# The converter wants both anchors and knows groups, classes, alternatives and repeats, but no escapes or look-arounds.
_PLAIN_PATTERN = re.compile(
    r"\^(?:\((?!\?)|[A-Za-z0-9 _@:/,.|*+?)=-]|\[[A-Za-z0-9 _@:/,.=+-]+\]|\{\d{1,2}(?:,\d{1,2})?\})+\$"
)


@lru_cache(maxsize=256)
def _is_plain_pattern(pattern: str) -> bool:
    """Whether the converter understands a pattern, and no repeated group makes its grammar grow without bounds."""
    if len(pattern) > patterns.MAX_PATTERN or not _PLAIN_PATTERN.fullmatch(pattern) or "){" in pattern:
        return False
    return patterns.compiled(pattern) is not None


def _integer(schema: dict[str, Any]) -> dict[str, Any]:
    return _bounds(schema, ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), MAX_INTEGER)


def _bounds(schema: dict[str, Any], names: tuple[str, ...], limit: int) -> dict[str, Any]:
    return {name: schema[name] for name in names if type(schema.get(name)) is int and abs(schema[name]) <= limit}
