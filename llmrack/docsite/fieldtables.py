"""Tables of request fields, from the rows that requests are checked against."""

from __future__ import annotations

from ..wire import fields
from ..wire.fields.rows import Field
from .cells import markdown
from .facts import Facts


def field_support(facts: Facts, endpoint: str) -> str:
    return markdown(("Request field", "Status", "Notes"), fields_of(endpoint))


def fields_of(endpoint: str) -> list[tuple[str, str, str]]:
    return [(f"`{row.name}`", row.status, row.notes) for row in fields.ENDPOINTS[endpoint].values()]


# The six that almost every program sets.
_COMMON = ("model", "messages", "temperature", "max_tokens", "stream", "top_p")


def parameters(facts: Facts) -> str:
    rows = (fields.CHAT[name] for name in _COMMON)
    return markdown(
        ("Parameter", "Type", "Default", "Description"),
        ((f"`{row.name}`", kind(row), row.default or "–", row.notes) for row in rows),
    )


def reference(facts: Facts, endpoint: str) -> str:
    """Every field of one endpoint with its type, range and default."""
    rows = {**fields.ENDPOINTS, **fields.OLLAMA}[endpoint]
    return markdown(
        ("Field", "Type", "Status", "Default", "Notes"),
        ((f"`{row.name}`", kind(row), row.status, row.default or "–", row.notes) for row in rows.values()),
    )


def kind(row: Field) -> str:
    """The type of a field in words, with its range."""
    schema = row.kind.schema
    if "$ref" in schema:
        return "string or object" if row.name == "tool_choice" else "object"
    if "anyOf" in schema:
        return "string or array"
    if isinstance(schema.get("type"), list):
        return " or ".join(schema["type"])
    name = str(schema.get("type", "any"))
    low, high = schema.get("minimum"), schema.get("maximum")
    if name == "number" and low is not None and high is not None:
        return f"number, {low:g} to {high:g}"
    if name == "integer" and low is not None and high is not None and abs(high) < 10**6:
        return f"integer, {low} to {high}" if low != high else f"integer, {low}"
    if name == "integer" and low is not None and abs(low) < 10**6:
        return f"integer, at least {low}"
    return name
