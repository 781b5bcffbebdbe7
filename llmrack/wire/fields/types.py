"""Kinds of values a request field takes: how one is checked, and the JSON Schema that says the same to readers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...errors import InvalidRequest
from ..json_body import wrong_type

Read = Callable[[Any, str], Any]


@dataclass(frozen=True)
class Kind:
    """`read(value, param)` returns the value to use, or raises InvalidRequest naming `param`."""

    read: Read
    schema: dict[str, Any]


def boolean() -> Kind:
    def read(value: Any, param: str) -> bool:
        if not isinstance(value, bool):
            raise wrong_type(param, "true or false", value)
        return value

    return Kind(read, {"type": "boolean"})


def number(low: float, high: float) -> Kind:
    def read(value: Any, param: str) -> float:
        if type(value) not in (int, float):
            raise wrong_type(param, "a number", value)
        if not low <= value <= high:
            raise InvalidRequest(f"{param} must be between {low:g} and {high:g}.", param=param)
        return value  # type: ignore[no-any-return]

    return Kind(read, {"type": "number", "minimum": low, "maximum": high})


def integer(low: int, high: int | None = None) -> Kind:
    """`high` None means that larger values are taken, and bounded later by what is left."""

    def read(value: Any, param: str) -> int:
        # JSON has one type of number: 5.0 is an integer to JSON Schema, and some serialisers write it so.
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int:
            raise wrong_type(param, "an integer", value)
        if value < low:
            raise InvalidRequest(f"{param} must be at least {low}.", param=param)
        if high is not None and value > high:
            raise InvalidRequest(f"{param} must be at most {high}.", param=param)
        return value

    schema: dict[str, Any] = {"type": "integer", "minimum": low}
    return Kind(read, schema if high is None else {**schema, "maximum": high})


def text(max_length: int | None = None) -> Kind:
    """`max_length` None leaves it to the model's window."""

    def read(value: Any, param: str) -> str:
        if not isinstance(value, str):
            raise wrong_type(param, "a string", value)
        if max_length is not None and len(value) > max_length:
            raise InvalidRequest(f"{param} must have at most {max_length} characters.", param=param)
        return value

    return Kind(read, {"type": "string"} if max_length is None else {"type": "string", "maxLength": max_length})


def one_of(*values: str) -> Kind:
    def read(value: Any, param: str) -> str:
        if not isinstance(value, str):
            raise wrong_type(param, "a string", value)
        if value not in values:
            raise InvalidRequest(f"{param} must be one of {', '.join(values)}.", param=param)
        return str(value)

    return Kind(read, {"type": "string", "enum": list(values)})


def mapping() -> Kind:
    def read(value: Any, param: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise wrong_type(param, "an object", value)
        return value

    return Kind(read, {"type": "object"})


def only_one(sentence: str) -> Kind:
    """The number 1. A larger one gets `sentence`."""

    def read(value: Any, param: str) -> int:
        count: int = integer(1).read(value, param)
        if count > 1:
            raise InvalidRequest(sentence, param=param, code="unsupported_value")
        return count

    return Kind(read, {"type": "integer", "minimum": 1, "maximum": 1})


def refused(sentence: str, *, unless: tuple[Any, ...] = ()) -> Kind:
    """No value at all, but for those that say the same as leaving the field out."""

    def read(value: Any, param: str) -> None:
        if not any(type(value) is type(nothing) and value == nothing for nothing in unless):
            raise InvalidRequest(sentence, param=param, code="unsupported_parameter")

    return Kind(read, {"enum": list(unless)} if unless else {"not": {}})


def anything() -> Kind:
    return Kind(lambda value, param: value, {})


def stop_strings(most: int) -> Kind:
    """A string, or up to `most` of them; empty ones stop nothing and are left out."""

    def read(value: Any, param: str) -> list[str]:
        strings = [value] if isinstance(value, str) else value
        if not isinstance(strings, list):
            raise wrong_type(param, "a string or a list of strings", value)
        if len(strings) > most:
            raise InvalidRequest(f"{param} takes at most {most} strings.", param=param)
        for index, item in enumerate(strings):
            if not isinstance(item, str):
                raise wrong_type(f"{param}[{index}]", "a string", item)
        return [item for item in strings if item]

    each = {"type": "string"}
    return Kind(read, {"anyOf": [each, {"type": "array", "items": each, "maxItems": most}]})


def options(**kinds: Kind) -> Kind:
    """An object whose known keys have these kinds; unknown keys are let through, null is the same as absent."""

    def read(value: Any, param: str) -> dict[str, Any]:
        given = mapping().read(value, param)
        return {
            name: kind.read(given[name], f"{param}.{name}")
            for name, kind in kinds.items()
            if given.get(name) is not None
        }

    return Kind(read, {"type": "object", "properties": {name: nullable(kind.schema) for name, kind in kinds.items()}})


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field that may also be null, which means the same as leaving it out."""
    if isinstance(schema.get("type"), str):
        widened = {**schema, "type": [schema["type"], "null"]}
        if "enum" in schema:
            widened["enum"] = [*schema["enum"], None]
        return widened
    return {"anyOf": [schema, {"type": "null"}]} if schema else {}


def texts(most: int, no_token_ids: str) -> Kind:
    """A non-empty string, or a list of up to `most`; always read as a list. `no_token_ids` answers lists of numbers."""

    def read(value: Any, param: str) -> list[str]:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list):
            raise wrong_type(param, "a string or a list of strings", value)
        if not items or items == [""]:
            raise InvalidRequest(f"{param} must not be empty.", param=param)
        if _is_token_ids(items[0]):
            raise InvalidRequest(no_token_ids, param=param, code="unsupported_parameter")
        if len(items) > most:
            raise InvalidRequest(f"{param} takes at most {most} strings.", param=param)
        for index, item in enumerate(items):
            if type(item) is not str:
                raise wrong_type(f"{param}[{index}]", "a string", item)
            if not item:
                raise InvalidRequest(f"{param}[{index}] must not be empty.", param=f"{param}[{index}]")
        return items

    each = {"type": "string", "minLength": 1}
    return Kind(read, {"anyOf": [each, {"type": "array", "items": each, "minItems": 1, "maxItems": most}]})


def _is_token_ids(item: Any) -> bool:
    return type(item) is int or (isinstance(item, list) and all(type(part) is int for part in item))
