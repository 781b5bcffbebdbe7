"""One instance of a JSON Schema, always the same for the same schema: what constrained decoding would give."""

from __future__ import annotations

from typing import Any

NAMED = {"name": "Ada", "age": 36, "city": "Paris", "email": "ada@example.com", "country": "France"}
FORMATS = {"date": "2026-01-31", "date-time": "2026-01-31T12:00:00Z", "email": "ada@example.com", "time": "12:00:00Z"}
FORMATS |= {"uuid": "123e4567-e89b-42d3-a456-426614174000", "uri": "https://example.com/"}


def instance(schema: Any, root: dict[str, Any] | None = None, name: str = "", depth: int = 0) -> Any:
    root = root if root is not None else schema
    if not isinstance(schema, dict) or depth > 20:
        return None
    if "$ref" in schema:
        return instance(_resolve(root, schema["$ref"]), root, name, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf"):
        if schema.get(choice):
            return instance(schema[choice][0], root, name, depth + 1)
    if schema.get("allOf"):
        merged: dict[str, Any] = {}
        for part in schema["allOf"]:
            made = instance(part, root, name, depth + 1)
            merged |= made if isinstance(made, dict) else {}
        return merged
    return _typed(schema, root, name, depth)


def _typed(schema: dict[str, Any], root: dict[str, Any], name: str, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        rows = schema.get("properties", {})
        return {key: instance(row, root, key, depth + 1) for key, row in rows.items()}
    if kind == "array":
        items = schema.get("prefixItems") or [schema.get("items", {})] * max(1, schema.get("minItems", 1))
        return [instance(row, root, name, depth + 1) for row in items]
    if kind in ("integer", "number"):
        return _number(schema, name, kind)
    return {"boolean": True, "null": None}.get(kind, _text(schema, name)) if kind != "string" else _text(schema, name)


def _number(schema: dict[str, Any], name: str, kind: str) -> float:
    value = NAMED.get(name, 7)
    value = value if isinstance(value, int) else 7
    low = schema.get("minimum", schema.get("exclusiveMinimum", value - 1) + 1)
    high = schema.get("maximum", schema.get("exclusiveMaximum", value + 1) - 1)
    value = min(max(value, low), high) if low <= high else low
    return value if kind == "integer" else value + 0.5 if value + 0.5 <= high else value


def _text(schema: dict[str, Any], name: str) -> str:
    text = FORMATS.get(schema.get("format", "")) or NAMED.get(name, f"some {name}".strip())
    text = str(text).ljust(schema.get("minLength", 0), "x")
    return text[: schema.get("maxLength", len(text))]


def _resolve(root: dict[str, Any], ref: str) -> Any:
    node: Any = root
    for part in ref.removeprefix("#").strip("/").split("/"):
        if part:
            node = node.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(node, dict) else {}
    return node
