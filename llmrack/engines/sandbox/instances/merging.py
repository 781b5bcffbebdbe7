"""Schemas that must all hold, as one: enough to make candidates from. The validator judges by the originals."""

from __future__ import annotations

from typing import Any

from ....wire.json_schema.validator import canonical

ALL_TYPES = ("string", "object", "array", "number", "integer", "boolean", "null")
_LARGER = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"}
_SMALLER = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"}
_CONDITION = ("if", "then", "else")
# What a keyword says about the type when `type` is missing.
_TELLING = (
    (
        "object",
        ("properties", "required", "additionalProperties", "patternProperties", "minProperties", "propertyNames"),
    ),
    ("array", ("items", "prefixItems", "minItems", "maxItems", "contains", "uniqueItems")),
    ("string", ("pattern", "minLength", "maxLength", "format")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)


def merge(*schemas: Any) -> Any:
    """One schema for all of them; False when one is False."""
    merged: dict[str, Any] = {}
    for schema in schemas:
        if schema is False:
            return False
        if schema is not True:
            merged = _merge_two(merged, schema)
    return merged


def _merge_two(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    merged = dict(first)
    if "if" in first and "if" in second:
        merged["allOf"] = [*merged.get("allOf", ()), {key: second[key] for key in _CONDITION if key in second}]
        second = {key: value for key, value in second.items() if key not in _CONDITION}
    for key, value in second.items():
        if key not in merged:
            merged[key] = value
        elif merged[key] != value:
            _combine(merged, key, value)
    return merged


def _combine(merged: dict[str, Any], key: str, value: Any) -> None:
    mine = merged[key]
    if key in ("properties", "patternProperties"):
        merged[key] = {
            **mine,
            **{name: merge(mine[name], rule) if name in mine else rule for name, rule in value.items()},
        }
    elif key == "required":
        merged[key] = list(dict.fromkeys([*mine, *value]))
    elif key == "type":
        merged[key] = _common_types(_listed(mine), _listed(value))
    elif key == "enum":
        known = {canonical(member) for member in value}
        merged[key] = [member for member in mine if canonical(member) in known]
    elif key == "allOf":
        merged[key] = [*mine, *value]
    elif key in _LARGER and not isinstance(value, bool):
        merged[key] = max(mine, value)
    elif key in _SMALLER and not isinstance(value, bool):
        merged[key] = min(mine, value)
    elif (
        key in ("items", "additionalProperties", "contains")
        and not isinstance(mine, list)
        and not isinstance(value, list)
    ):
        merged[key] = merge(mine, value)
    elif key in ("anyOf", "oneOf", "$ref"):
        # Both must hold and neither can be folded into the other: keep the second as one more part.
        merged["allOf"] = [*merged.get("allOf", ()), {key: value}]


def _common_types(mine: list[str], other: list[str]) -> list[str]:
    common = [kind for kind in mine if kind in other]
    if ("integer" in mine and "number" in other) or ("number" in mine and "integer" in other):
        common.append("integer")
    return list(dict.fromkeys(common))


def _listed(kinds: Any) -> list[str]:
    return [kinds] if isinstance(kinds, str) else list(kinds)


def types(schema: dict[str, Any]) -> list[str]:
    """The types a value may have, the most telling first and null last."""
    if "type" in schema:
        return sorted((kind for kind in _listed(schema["type"]) if kind in ALL_TYPES), key=lambda kind: kind == "null")
    told = [kind for kind, keys in _TELLING if any(key in schema for key in keys)]
    return [*told, *(kind for kind in ALL_TYPES if kind not in told)]


def weight(schema: Any) -> int:
    """How deep a branch may grow: scalars before arrays before objects before references."""
    if not isinstance(schema, dict) or "$ref" in schema or "allOf" in schema:
        return 3
    return {"array": 1, "object": 2}.get(types(schema)[0] if "type" in schema else "object", 0)
