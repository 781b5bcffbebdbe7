"""Tool calls in both directions: those of earlier turns, those the model server parsed, and those written as text.

OpenAI's arguments are a JSON string and its calls have ids; Ollama's are an object, and its ids may be missing or
equal, so every call gets an id of ours.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ...errors import InvalidRequest
from .. import json_body
from ..json_schema import inline
from ..ollama import ToolCall
from .tools import MAX_PARTS, Tool

# Pieces of text after which a beginning that fits a call cannot turn out otherwise: the longest name and its wrapping.
LONGEST_CALL_START = 192


def arguments_from_client(value: Any, param: str, replaced: list[str]) -> dict[str, Any]:
    """A call in the conversation so far: its arguments are JSON text; an object is taken as well, "" is no argument.

    `replaced` gets `param` where characters were replaced, as `jsonbody.decode` does. Raises InvalidRequest.
    """
    if isinstance(value, str):
        try:
            value, is_replaced = json_body.loads(value) if value.strip() else ({}, False)
        except InvalidRequest:
            raise InvalidRequest(f"{param} is not valid JSON.", param=param) from None
        if is_replaced:
            replaced.append(param)
    if not isinstance(value, dict):
        raise json_body.wrong_type(param, "a JSON object written as a string", value)
    return value


class Calls:
    """The tool calls of one answer, numbered and named as they come; with `only_one` the first alone counts."""

    def __init__(self, answer_id: str, *, only_one: bool) -> None:
        self._answer_id = answer_id
        self._only_one = only_one
        self.made: list[dict[str, Any]] = []

    def add(self, calls: list[ToolCall]) -> list[dict[str, Any]]:
        """Those of `calls` that count, as OpenAI writes them: {"id", "type", "function": {"name", "arguments"}}."""
        new = []
        for call in calls:
            if self._only_one and self.made:
                break
            new.append(self.make(call.function.name, call.function.arguments))
        return new

    def make(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        middle = hashlib.sha256(self._answer_id.encode()).hexdigest()[:32]
        call = {
            "id": f"call_{middle}_{len(self.made)}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)},
        }
        self.made.append(call)
        return call


def deltas(calls: list[dict[str, Any]], first_index: int) -> list[dict[str, Any]]:
    """Finished calls as parts of a streamed delta, which says for each which call of the answer it is."""
    return [{"index": first_index + offset, **call} for offset, call in enumerate(calls)]


def call_format(written: list[Tool]) -> dict[str, Any]:
    """The schema of an answer that is nothing but a call of one of these tools: {"name": ..., "arguments": {...}}.

    Raises InvalidRequest when it is too large.
    """
    calls = _call_schemas(written)
    return calls[0] if len(calls) == 1 else {"anyOf": calls}


def or_call(answer: Any, written: list[Tool]) -> Any:
    """Ollama's `format` for an answer that is either of this format or a call of one of these tools.

    Raises InvalidRequest when it is too large.
    """
    if not written or not isinstance(answer, dict):
        return answer
    return {"anyOf": [answer, *_call_schemas(written)]}


def _call_schemas(written: list[Tool]) -> list[dict[str, Any]]:
    budget = inline.Budget("tools", MAX_PARTS)
    return [
        {
            "type": "object",
            "properties": {
                "name": {"enum": [tool.name]},
                "arguments": inline.to_grammar({**tool.parameters, "type": "object"}, budget),
            },
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for tool in written
    ]


def written_call(written: list[Tool], text: str) -> tuple[tuple[str, dict[str, Any]], str | None]:
    """((name, arguments), None) from the text of such an answer, or what is wrong with it as the second part."""
    nothing: tuple[str, dict[str, Any]] = ("", {})
    try:
        call = json.loads(text)
    except (ValueError, RecursionError):
        return nothing, "it is not JSON"
    name = call.get("name") if isinstance(call, dict) else None
    tool = next((tool for tool in written if tool.name == name), None)
    if tool is None:
        return nothing, "it names none of the tools"
    arguments = call.get("arguments", call.get("parameters"))
    if not isinstance(arguments, dict):
        return nothing, "its arguments are not an object"
    checker = tool.checker
    return (tool.name, arguments), checker.fault(arguments) if checker is not None else None


def may_become_call(written: list[Tool], text: str) -> bool:
    """Whether the beginning of an answer can still turn out to be a call, so that it must not be shown as text yet."""
    start = "".join(text.split())
    for tool in written:
        for word in ("arguments", "parameters"):
            call = f'{{"name":"{tool.name}","{word}":{{'
            if call.startswith(start) or start.startswith(call):
                return True
    return False
