"""From the fields of the playground's form to the body of a chat request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llmrack.errors import InvalidRequest

_NUMBERS = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_INTEGERS = ("max_tokens", "seed")
FIELDS = (
    "model", "system", "prompt", *_NUMBERS, *_INTEGERS, "stop", "format", "schema", "tools", "tool_choice",
)  # fmt: skip


def body(form: Mapping[str, str]) -> dict[str, Any]:
    """What the form asks for; empty fields are left out. Raises InvalidRequest for one that does not read."""
    messages = [
        {"role": role, "content": form[name]}
        for role, name in (("system", "system"), ("user", "prompt"))
        if form.get(name)
    ]
    asked: dict[str, Any] = {"model": form.get("model", ""), "messages": messages}
    for name in _NUMBERS:
        if form.get(name):
            asked[name] = _number(form[name], float, name)
    for name in _INTEGERS:
        if form.get(name):
            asked[name] = _number(form[name], int, name)
    if stops := [line for line in form.get("stop", "").splitlines() if line]:
        asked["stop"] = stops
    if form.get("format") == "json_object":
        asked["response_format"] = {"type": "json_object"}
    elif form.get("format") == "json_schema":
        schema = _json(form.get("schema", ""), "schema")
        asked["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": schema},
        }
    if form.get("tools", "").strip():
        asked["tools"] = _json(form["tools"], "tools")
        if form.get("tool_choice") in ("none", "required"):
            asked["tool_choice"] = form["tool_choice"]
    return asked


def _number(text: str, kind: type[int] | type[float], name: str) -> float:
    try:
        return kind(text)
    except ValueError:
        raise InvalidRequest(f"{name} must be a number.", param=name) from None


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidRequest(f"{name} is not JSON: {error}.", param=name) from None
