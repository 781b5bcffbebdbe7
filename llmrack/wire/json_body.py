"""Strict JSON: whatever two readers could understand differently is refused, with a sentence that says where.

Characters that text cannot hold are replaced, and the places told: a conversation that holds one would otherwise be
refused at each of its following turns.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import msgspec

from ..errors import InvalidRequest

MAX_DEPTH = 128
# Objects, arrays and values of one body. Building more takes longer than the other requests of a worker should wait.
MAX_VALUES = 500_000


# What text cannot hold: NUL, which PostgreSQL stores in no text, and half a surrogate pair, for which UTF-8 has no
# bytes. JSON can write both as escapes. Go's decoder, and so Ollama, reads half a pair as U+FFFD (encoding/json,
# unquoteBytes); NUL it keeps, and C programs behind it end text there.
_UNFIT = re.compile("[\0\ud800-\udfff]")
_REPLACEMENT = "\ufffd"
_BOM = b"\xef\xbb\xbf"


class _Refused(ValueError):
    """A value that is JSON by its grammar and that we do not take."""


def decode(raw: bytes) -> tuple[dict[str, Any], list[str]]:
    """The object in a request body, and where in it characters were replaced, such as `messages[1].content`.

    Raises InvalidRequest with `code` "invalid_json" for anything else.
    """
    value, replaced = _value(raw)
    if not isinstance(value, dict):
        raise _invalid(f"The body must be a JSON object, not {kind_of(value)}.")
    return value, replaced


def loads(text: str) -> tuple[Any, bool]:
    """Any JSON value from text a client sent inside a string, by the same rules, and whether characters in it were
    replaced. Raises InvalidRequest."""
    value, replaced = _value(text.encode())
    return value, bool(replaced)


def _value(raw: bytes) -> tuple[Any, list[str]]:
    try:
        if raw.count(b",") + raw.count(b"{") + raw.count(b"[") > MAX_VALUES:
            raise _Refused(f"The body has more than {MAX_VALUES} values.")
        if raw.startswith(_BOM):
            raise _Refused("The body begins with a byte order mark (U+FEFF). Send UTF-8 without one.")
        value, replaced = _inspected(_DECODER.decode(raw.decode()), raw)
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
    return value, replaced


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


def _inspected(value: Any, raw: bytes) -> tuple[Any, list[str]]:
    """The value without what text cannot hold, and where that was. Raises _Refused for what only the grammar allows.

    The cheap looks at the bytes spare most bodies the walks.
    """
    replaced: list[str] = []
    has_escapes = b"\\u0000" in raw or b"\\ud" in raw or b"\\uD" in raw
    is_unfit = False
    if has_escapes or raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        is_unfit = _walk(value, 1, has_escapes)
    if is_unfit:
        return _fit(value, "", replaced), replaced
    try:
        # Python reads 1e999 as infinity, which is not JSON any more.
        msgspec.json.decode(raw)
    except msgspec.DecodeError as exc:
        raise _Refused(f"The body has a number that is out of range ({exc}).") from None
    return value, replaced


def _walk(value: Any, depth: int, has_escapes: bool) -> bool:
    """Whether text in it has characters that text cannot hold. Raises _Refused for what is too deep."""
    if isinstance(value, str):
        return has_escapes and _is_unfit(value)
    if not isinstance(value, dict | list):
        return False
    if depth > MAX_DEPTH:
        raise _Refused(_TOO_DEEP)
    is_unfit = False
    items = value
    if isinstance(value, dict):
        is_unfit = has_escapes and any(_is_unfit(name) for name in value)
        items = list(value.values())
    for item in items:
        if type(item) is str and not has_escapes:
            continue
        is_unfit = _walk(item, depth + 1, has_escapes) or is_unfit
    return is_unfit


def _is_unfit(text: str) -> bool:
    """The same as a search for `_UNFIT`, which takes several times as long."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return "\0" in text


def _fit(value: Any, place: str, replaced: list[str]) -> Any:
    """The same value with U+FFFD for each character that text cannot hold; `replaced` gets the places.

    Raises _Refused for a number that is out of range, and for names that are equal now.
    """
    if isinstance(value, str):
        fit = _UNFIT.sub(_REPLACEMENT, value)
        if fit != value:
            replaced.append(place)
        return fit
    if isinstance(value, list):
        return [_fit(item, f"{place}[{index}]", replaced) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return _object([_fit_pair(name, item, place, replaced) for name, item in value.items()])
    if isinstance(value, float) and not math.isfinite(value):
        raise _Refused("The body has a number that is out of range.")
    return value


def _fit_pair(name: str, item: Any, place: str, replaced: list[str]) -> tuple[str, Any]:
    fit = _UNFIT.sub(_REPLACEMENT, name)
    where = f"{place}.{fit}" if place else fit
    if fit != name:
        replaced.append(where)
    return fit, _fit(item, where, replaced)


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
