"""The object that a prompt asks for in JSON mode without a schema: its keys, and which of them are numbers."""

from __future__ import annotations

import json
import re
from typing import Any

from .hints import READ_CHARS, words

_NAMES = r"((?:[\"'`]?\w{1,40}[\"'`]?(?:\s?,\s{0,2}|\s{1,2}and\s{1,2})?){1,12})"
_KEYS = re.compile(rf"\b(?:keys?|fields?|properties)\b\s{{0,2}}:?\s{{0,2}}{_NAMES}")
_NO_NAMES = ("and", "are", "is", "the")
_NUMBER = r"-?\d{1,15}(?:\.\d{1,9})?"
_KIND = r"(?:number|numeric|integer|int|float|decimal|double)s?\b"
# "{"age": 0, "name": "..."}", as prompts show the shape they want.
_TEMPLATE = re.compile(r"\{[^{}]{2,600}\}")
_BEFORE_VALUES = re.compile(r"\s{0,3}(?:for|from|of|with(?: the)? values?|[:=-])?\s{0,3}")
_WORDS: dict[str, Any] = {"type": "string"}
# A key with one of these words is a number whatever the prompt says.
_COUNTED = frozenset(
    words(
        "age count number num price cost year quantity qty temperature score total amount sum average rating rank size"
        " length width height depth weight distance duration population percent percentage latitude longitude lat lon"
        " min max minutes hours seconds stars"
    )
)


def asked(text: str) -> dict[str, Any] | None:
    """A schema of the object that the text asks for ("with keys name and age"), or None.

    A key is a number when the prompt says so ("age (number)"), writes a number beside it ("612 pages"), gives its value
    as one in a list as long as the keys, or when a word of the key counts things.
    """
    text = text[-READ_CHARS:]
    if shown := _template(text):
        around = _TEMPLATE.sub(" ", text)
        return _object({key: _rule_of_example(key, value, around) for key, value in shown.items()})
    found = _KEYS.search(text)
    names = [name for name in re.findall(r"\w+", found[1]) if name not in _NO_NAMES] if found else []
    if found is None or not names:
        return None
    listed = _listed(text[found.end() :], names)
    return _object({name: _rule(name, text, listed.get(name)) for name in names})


def _object(rules: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": rules, "required": list(rules)}


def _template(text: str) -> dict[str, Any]:
    for found in _TEMPLATE.findall(text):
        try:
            value = json.loads(found)
        except ValueError:
            continue
        if isinstance(value, dict) and value:
            return value
    return {}


def _rule_of_example(key: str, value: Any, text: str) -> dict[str, Any]:
    kinds = {bool: "boolean", int: "number", float: "number", str: "string", list: "array"}
    kind = kinds.get(type(value), "string")
    if kind == "string" and re.fullmatch(rf"<?{_KIND}>?", str(value), re.IGNORECASE):
        kind = "number"
    rule = _rule(key, text, None) if kind in ("number", "string") else _WORDS
    return {"type": kind} if rule == _WORDS else rule


def _rule(name: str, text: str, listed: str | None) -> dict[str, Any]:
    beside = listed if listed and re.fullmatch(_NUMBER, listed) else _beside(name, text)
    if beside is not None:
        number = float(beside)
        return {"const": int(number) if number.is_integer() else number}
    return {"type": "number"} if _counts(name) or _is_said_to_be(name, text) else _WORDS


def _counts(name: str) -> bool:
    return bool(set(words(name)) & _COUNTED)


def _is_said_to_be(name: str, text: str) -> bool:
    """ "age (number)", "age: integer", "n as a number", "the numbers n and m"."""
    said = rf"\b{re.escape(name)}\b[\"'`]?\s{{0,2}}(?:\(|:|=|as|is|are)\s{{0,2}}(?:an?\s)?{_KIND}"
    return re.search(rf"{said}|\b{_KIND}\s(?:\w+,?\s){{0,4}}{re.escape(name)}\b", text, re.IGNORECASE) is not None


def _beside(name: str, text: str) -> str | None:
    """ "612 pages", "pages: 612", "pages = 612", "pages is 612"."""
    key = re.escape(name.removesuffix("s")) + "s?"
    found = re.search(
        rf"(?<![\w.])({_NUMBER})\s{key}\b|\b{key}\b[\"'`]?\s?(?:[:=]|is|of)?\s?({_NUMBER})(?![\w.]?\d)",
        text,
        re.IGNORECASE,
    )
    return (found[1] or found[2]) if found else None


def _listed(tail: str, names: list[str]) -> dict[str, str]:
    """The values behind the keys, when there are as many: ("x", "y") and ": 3, 4" give {"x": "3", "y": "4"}."""
    start = _BEFORE_VALUES.match(tail)
    values = [part.strip(" .!?\"'") for part in re.split(r",|\band\b", tail[start.end() if start else 0 :])]
    return dict(zip(names, values, strict=True)) if len(values) == len(names) else {}
