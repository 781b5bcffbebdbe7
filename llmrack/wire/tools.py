"""Tools and tool calls in both directions.

OpenAI's arguments are a JSON string and its calls have ids; Ollama's are an object, and its ids may be missing or
equal, so every call gets an id of ours.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from ..errors import InvalidRequest
from . import jsonbody, schemas, validation
from .jsonbody import kind_of
from .ollama import ToolCall

MAX_TOOLS = 128
_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")
NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}


def read(value: Any, param: str) -> list[dict[str, Any]]:
    """[{"type": "function", "function": {"name", "description"?, "parameters"?, "strict"?}}], checked."""
    if not isinstance(value, list):
        raise InvalidRequest(f"{param} must be an array, not {kind_of(value)}.", param=param)
    if len(value) > MAX_TOOLS:
        raise InvalidRequest(f"{param} takes at most {MAX_TOOLS} tools.", param=param)
    return [_read_tool(tool, f"{param}[{index}]") for index, tool in enumerate(value)]


def _read_tool(tool: Any, param: str) -> dict[str, Any]:
    if not isinstance(tool, dict):
        raise InvalidRequest(f"{param} must be an object, not {kind_of(tool)}.", param=param)
    if tool.get("type", "function") != "function":
        raise InvalidRequest(f"{param}.type must be function; other tools are not supported.", param=f"{param}.type")
    function = tool.get("function")
    if not isinstance(function, dict):
        raise InvalidRequest(f"{param}.function must be an object.", param=f"{param}.function")
    name = read_name(function.get("name"), f"{param}.function.name")
    description = function.get("description")
    if description is not None and not isinstance(description, str):
        raise InvalidRequest(f"{param}.function.description must be a string.", param=f"{param}.function.description")
    parameters = function.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise InvalidRequest(f"{param}.function.parameters must be an object.", param=f"{param}.function.parameters")
    where = f"{param}.function.parameters"
    return {
        "name": name,
        "description": description or "",
        "parameters": schemas.inline(parameters, where) if parameters else NO_PARAMETERS,
        # Only a strict function promises arguments that hold its schema.
        "checker": validation.Checker(parameters, where) if parameters and function.get("strict") is True else None,
    }


def read_name(name: Any, param: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidRequest(f"{param} must be 1 to 128 letters, digits, or any of _ . : / -", param=param)
    return name


def read_choice(value: Any, param: str) -> str | list[str]:
    """ "none", "auto", "required"; a function as a list of its one name. Raises InvalidRequest.

    {"type": "function", "function": {"name": "f"}} is the form of chat completions.
    """
    if value in ("none", "auto", "required"):
        return str(value)
    function = value.get("function") if isinstance(value, dict) else None
    if not isinstance(function, dict) or value.get("type", "function") != "function":
        raise InvalidRequest(
            f'{param} must be "none", "auto", "required", or {{"type": "function", "function": {{"name": ...}}}}.',
            param=param,
        )
    return [read_name(function.get("name"), f"{param}.function.name")]


def to_ollama(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tools as Ollama reads them. Its structs refuse what does not fit their types, so only that is sent."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool["name"],
                "description": tool["description"],
                "parameters": _parameters(tool["parameters"]),
            },
        }
        for tool in tools
    ]


def _parameters(schema: dict[str, Any]) -> dict[str, Any]:
    """api.ToolFunctionParameters: type is a plain string, properties an object of objects."""
    kept: dict[str, Any] = {"type": "object", "properties": _properties(schema.get("properties"))}
    required = schema.get("required")
    if isinstance(required, list):
        kept["required"] = [name for name in required if isinstance(name, str)]
    return kept


def _properties(properties: Any) -> dict[str, Any]:
    if not isinstance(properties, dict):
        return {}
    return {name: _property(schema if isinstance(schema, dict) else {}) for name, schema in properties.items()}


def _property(schema: dict[str, Any]) -> dict[str, Any]:
    """api.ToolProperty: anyOf, type (one or several), items (anything), description, enum, properties, required."""
    kept: dict[str, Any] = {}
    kind = schema.get("type")
    if isinstance(kind, str) or (isinstance(kind, list) and all(isinstance(item, str) for item in kind)):
        kept["type"] = kind
    if isinstance(schema.get("anyOf"), list):
        kept["anyOf"] = [_property(choice) for choice in schema["anyOf"] if isinstance(choice, dict)]
    if isinstance(schema.get("items"), dict):
        kept["items"] = schema["items"]
    if isinstance(schema.get("description"), str):
        kept["description"] = schema["description"]
    if isinstance(schema.get("enum"), list):
        kept["enum"] = schema["enum"]
    if isinstance(schema.get("properties"), dict):
        kept["properties"] = _properties(schema["properties"])
    if isinstance(schema.get("required"), list):
        kept["required"] = [name for name in schema["required"] if isinstance(name, str)]
    return kept


def arguments_from_client(value: Any, param: str) -> dict[str, Any]:
    """A call in the conversation so far: its arguments are JSON text; an object is taken as well, "" is no argument."""
    if isinstance(value, str):
        try:
            value = jsonbody.loads(value) if value.strip() else {}
        except InvalidRequest:
            raise InvalidRequest(f"{param} is not valid JSON.", param=param) from None
    if not isinstance(value, dict):
        raise InvalidRequest(f"{param} must be a JSON object written as a string.", param=param)
    return value


class Calls:
    """The tool calls of one answer, numbered and named as they come; with `only_one` the first alone counts."""

    def __init__(self, answer_id: str, *, only_one: bool) -> None:
        self._middle = hashlib.sha256(answer_id.encode()).hexdigest()[:32]
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
        call = {
            "id": f"call_{self._middle}_{len(self.made)}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)},
        }
        self.made.append(call)
        return call


def deltas(calls: list[dict[str, Any]], first_index: int) -> list[dict[str, Any]]:
    """Finished calls as parts of a streamed delta, which says for each which call of the answer it is."""
    return [{"index": first_index + offset, **call} for offset, call in enumerate(calls)]


def forced_format(forced: list[dict[str, Any]]) -> dict[str, Any]:
    """The schema of an answer that is nothing but a call of one of these tools: {"name": ..., "arguments": {...}}."""
    calls = [
        {
            "type": "object",
            "properties": {
                "name": {"enum": [tool["name"]]},
                "arguments": schemas.to_grammar({**tool["parameters"], "type": "object"}),
            },
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for tool in forced
    ]
    return calls[0] if len(calls) == 1 else {"anyOf": calls}


def forced_call(forced: list[dict[str, Any]], text: str) -> tuple[tuple[str, dict[str, Any]], str | None]:
    """((name, arguments), None) from the text of such an answer, or what is wrong with it as the second part."""
    nothing: tuple[str, dict[str, Any]] = ("", {})
    try:
        call = json.loads(text)
    except (ValueError, RecursionError):
        return nothing, "it is not JSON"
    name = call.get("name") if isinstance(call, dict) else None
    tool = next((tool for tool in forced if tool["name"] == name), None)
    if tool is None:
        return nothing, "it names none of the tools"
    arguments = call.get("arguments", call.get("parameters"))
    if not isinstance(arguments, dict):
        return nothing, "its arguments are not an object"
    checker = tool["checker"]
    fault = checker.fault(arguments) if checker is not None else None
    return (tool["name"], arguments), fault
