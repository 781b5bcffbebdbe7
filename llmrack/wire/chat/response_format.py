"""`response_format`: what the answer must be, and whether it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ...errors import InvalidRequest
from ..json_body import kind_of, wrong_type
from ..json_schema import inline, reading, validation

TYPES = ("text", "json_object", "json_schema")


@dataclass(frozen=True)
class Format:
    """`ollama` is the value of Ollama's `format`; `checker` is None where any JSON object will do.

    `schema` is the client's own, whole.
    """

    ollama: Any
    checker: validation.Checker | None
    is_strict: bool
    schema: dict[str, Any] | None = None

    def fault(self, text: str) -> str | None:
        """What is wrong with an answer, in words; None when it holds what was promised.

        Every format promises JSON, `json_object` an object, and a strict schema that the answer validates.
        """
        try:
            value = json.loads(text, parse_constant=_no_constants)
        except (ValueError, RecursionError) as exc:
            return f"it is not JSON ({exc})"[:200]
        if self.checker is None:
            return None if isinstance(value, dict) else f"it is {kind_of(value)}, not an object"
        return self.checker.fault(value) if self.is_strict else None

    def is_held_by(self, text: str) -> bool:
        """Whether an answer validates, promised or not; any object may be an answer where there is no schema."""
        return self.checker is not None and self.checker.fault(json.loads(text)) is None


def _no_constants(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def read(value: Any, param: str) -> Format | None:
    """None for plain text. Raises InvalidRequest."""
    if not isinstance(value, dict):
        raise wrong_type(param, "an object", value)
    kind = value.get("type")
    if kind not in TYPES:
        raise InvalidRequest(f"{param}.type must be one of {', '.join(TYPES)}.", param=f"{param}.type")
    if kind == "json_object":
        return Format("json", None, is_strict=False)
    return _schema(value.get("json_schema"), f"{param}.json_schema") if kind == "json_schema" else None


def _schema(wrapper: Any, param: str) -> Format:
    if not isinstance(wrapper, dict):
        raise wrong_type(param, "an object", wrapper)
    schema, where = wrapper.get("schema"), f"{param}.schema"
    if not isinstance(schema, dict):
        raise wrong_type(where, "an object", schema)
    strict = wrapper.get("strict")
    if strict is not None and not isinstance(strict, bool):
        raise wrong_type(f"{param}.strict", "true or false", strict)
    for name in ("name", "description"):
        if wrapper.get(name) is not None and not isinstance(wrapper[name], str):
            raise wrong_type(f"{param}.{name}", "a string", wrapper[name])
    reading.Allowance(where).admit(schema, where)
    plain = inline.inline(schema, where)
    checker = validation.checker(schema, where)
    return Format(inline.to_grammar(plain, inline.Budget(where)), checker, is_strict=strict is True, schema=schema)
