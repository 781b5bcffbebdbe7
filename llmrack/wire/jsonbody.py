"""Strict JSON: whatever two readers could understand differently is refused, with a sentence that says where."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from ..errors import InvalidRequest

MAX_DEPTH = 128
# Objects, arrays and values of one body. Building more takes longer than the other requests of a worker should wait.
MAX_VALUES = 500_000


class _Refused(ValueError):
    """A value that is JSON by its grammar and that we do not take."""


def decode(raw: bytes) -> dict[str, Any]:
    """The object in a request body. Raises InvalidRequest with `code` "invalid_json" for anything else."""
    value = _value(raw)
    if not isinstance(value, dict):
        raise _invalid(f"The body must be a JSON object, not {kind_of(value)}.")
    return value


def loads(text: str) -> Any:
    """Any JSON value from text a client sent inside a string, by the same rules. Raises InvalidRequest."""
    return _value(text.encode())


def _value(raw: bytes) -> Any:
    try:
        if raw.count(b",") + raw.count(b"{") + raw.count(b"[") > MAX_VALUES:
            raise _Refused(f"The body has more than {MAX_VALUES} values.")
        value = _DECODER.decode(raw.decode())
        _inspect(value, raw)
    except UnicodeDecodeError as exc:
        raise _invalid(f"The body is not UTF-8 (byte {exc.start}).") from None
    except _Refused as exc:
        raise _invalid(str(exc)) from None
    except json.JSONDecodeError as exc:
        raise _invalid(f"The body is not JSON: {exc.msg} at line {exc.lineno}, column {exc.colno}.") from None
    except RecursionError:
        raise _invalid(_TOO_DEEP) from None
    except ValueError:
        # Python turns no more than 4300 digits into an integer.
        raise _invalid("The body has an integer of too many digits.") from None
    return value


_TOO_DEEP = f"The body is nested more than {MAX_DEPTH} levels deep."


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="invalid_json")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    obj = dict(pairs)
    if len(obj) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise _Refused(f"The body has the key {json.dumps(twice)[:64]} twice in one object.")
    return obj


def _constant(name: str) -> None:
    raise _Refused(f"The body has {name}, which is not JSON.")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, strict=True)


def _inspect(value: Any, raw: bytes) -> None:
    """Look for what the grammar allows; the cheap looks at the bytes spare most bodies the walk."""
    has_escapes = b"\\u0000" in raw or b"\\ud" in raw or b"\\uD" in raw
    if has_escapes or raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        _walk(value, 1, has_escapes)
    try:
        # Python reads 1e999 as infinity, which is not JSON any more.
        msgspec.json.decode(raw)
    except msgspec.DecodeError as exc:
        raise _Refused(f"The body has a number that is out of range ({exc}).") from None


def _walk(value: Any, depth: int, has_escapes: bool) -> None:
    if isinstance(value, str):
        if has_escapes:
            _check_text(value)
    elif isinstance(value, dict | list):
        if depth > MAX_DEPTH:
            raise _Refused(_TOO_DEEP)
        items = value
        if isinstance(value, dict):
            if has_escapes:
                for name in value:
                    _check_text(name)
            items = list(value.values())
        for item in items:
            if type(item) is str and not has_escapes:
                continue
            _walk(item, depth + 1, has_escapes)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise _Refused("The body has a NUL character (\\u0000) in a string.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Refused("The body has half a surrogate pair (\\ud800 to \\udfff) in a string.") from None


def wrong_type(param: str, takes: str, value: Any) -> InvalidRequest:
    """The refusal of a value that is of another JSON type than its field takes; in an object null is no value."""
    if value is None and not param.endswith("]"):
        return missing(param)
    return InvalidRequest(f"{param} must be {takes}, not {kind_of(value)}.", param=param, code="invalid_type")


def missing(param: str) -> InvalidRequest:
    """The refusal of a request without a field that it needs."""
    return InvalidRequest(f"{param} is required.", param=param, code="missing_required_parameter")


def kind_of(value: Any) -> str:
    """The JSON type of a value, for sentences."""
    if value is None:
        return "null"
    kinds: dict[type, str] = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return kinds.get(type(value), "an object")
