"""Tools and tool calls in both directions.

OpenAI's arguments are a JSON string and its calls have ids; Ollama's are an object, and its ids may be missing or
equal, so every call gets an id of ours.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidRequest
from . import jsonbody, schemas, validation
from .jsonbody import kind_of
from .ollama import ToolCall

MAX_TOOLS = 128
# Pieces of text after which a beginning that fits a call cannot turn out otherwise: the longest name and its wrapping.
LONGEST_CALL_START = 192
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
        "checker": validation.checker(parameters, where) if parameters and function.get("strict") is True else None,
    }


def read_name(name: Any, param: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidRequest(f"{param} must be 1 to 128 letters, digits, or any of _ . : / -", param=param)
    return name


@dataclass(frozen=True)
class Choice:
    """Which tools may be called, and whether one must. `names` None means all of them."""

    names: tuple[str, ...] | None = None
    is_forced: bool = False


def read_choice(value: Any, param: str) -> Choice:
    """Raises InvalidRequest. One function is {"type": "function", "function": {"name": "f"}}; several are
    {"type": "allowed_tools", "allowed_tools": {"mode": "auto" or "required", "tools": [one function, ...]}}."""
    if value in ("none", "auto", "required"):
        return Choice(() if value == "none" else None, is_forced=value == "required")
    kind = value.get("type", "function") if isinstance(value, dict) else None
    if kind == "function":
        return Choice((_chosen_name(value, param),), is_forced=True)
    allowed = value.get("allowed_tools") if kind == "allowed_tools" else None
    if not isinstance(allowed, dict) or not isinstance(allowed.get("tools"), list):
        raise InvalidRequest(
            f'{param} must be "none", "auto", "required", or {{"type": "function", "function": {{"name": ...}}}}.',
            param=param,
        )
    if allowed.get("mode") not in ("auto", "required"):
        raise InvalidRequest(
            f"{param}.allowed_tools.mode must be auto or required.", param=f"{param}.allowed_tools.mode"
        )
    names = [_chosen_name(tool, f"{param}.allowed_tools.tools[{index}]") for index, tool in enumerate(allowed["tools"])]
    return Choice(tuple(names), is_forced=allowed["mode"] == "required")


def _chosen_name(tool: Any, param: str) -> str:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict):
        raise InvalidRequest(f"{param}.function must be an object.", param=f"{param}.function")
    return read_name(function.get("name"), f"{param}.function.name")


def chosen(offered: list[dict[str, Any]], choice: Choice) -> list[dict[str, Any]]:
    """The tools a choice leaves. Raises InvalidRequest for a choice that cannot be met."""
    if choice.names is None:
        left = offered
    else:
        known = {tool["name"] for tool in offered}
        for name in choice.names:
            if name not in known:
                raise InvalidRequest(f"tool_choice names {name!r}, which is not among the tools.", param="tool_choice")
        left = [tool for tool in offered if tool["name"] in choice.names]
    if choice.is_forced and not left:
        raise InvalidRequest("tool_choice asks for a call, but there are no tools.", param="tool_choice")
    return left


def instruction(tools: list[dict[str, Any]]) -> str:
    """The tools in words, for a model whose template has no place for them."""
    listed = "\n".join(json.dumps(tool["function"], ensure_ascii=False) for tool in to_ollama(tools))
    return (
        'Answer with one call of one of these functions, as {"name": ..., "arguments": {...}} and nothing else:\n'
        + listed
    )


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
    """api.ToolProperty: anyOf, type (one or several), items, description, enum, properties, required."""
    kept: dict[str, Any] = {}
    kind = schema.get("type")
    if isinstance(kind, str) or (isinstance(kind, list) and all(isinstance(item, str) for item in kind)):
        kept["type"] = kind
    if isinstance(schema.get("anyOf"), list):
        kept["anyOf"] = [_property(choice) for choice in schema["anyOf"] if isinstance(choice, dict)]
    if isinstance(schema.get("items"), dict):
        kept["items"] = _property(schema["items"])
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


def call_format(written: list[dict[str, Any]]) -> dict[str, Any]:
    """The schema of an answer that is nothing but a call of one of these tools: {"name": ..., "arguments": {...}}."""
    calls = _call_schemas(written)
    return calls[0] if len(calls) == 1 else {"anyOf": calls}


def or_call(answer: Any, written: list[dict[str, Any]]) -> Any:
    """Ollama's `format` for an answer that is either of this format or a call of one of these tools."""
    if not written or not isinstance(answer, dict):
        return answer
    return {"anyOf": [answer, *_call_schemas(written)]}


def _call_schemas(written: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "type": "object",
            "properties": {
                "name": {"enum": [tool["name"]]},
                "arguments": schemas.to_grammar({**tool["parameters"], "type": "object"}, "tools"),
            },
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for tool in written
    ]


def written_call(written: list[dict[str, Any]], text: str) -> tuple[tuple[str, dict[str, Any]], str | None]:
    """((name, arguments), None) from the text of such an answer, or what is wrong with it as the second part."""
    nothing: tuple[str, dict[str, Any]] = ("", {})
    try:
        call = json.loads(text)
    except (ValueError, RecursionError):
        return nothing, "it is not JSON"
    name = call.get("name") if isinstance(call, dict) else None
    tool = next((tool for tool in written if tool["name"] == name), None)
    if tool is None:
        return nothing, "it names none of the tools"
    arguments = call.get("arguments", call.get("parameters"))
    if not isinstance(arguments, dict):
        return nothing, "its arguments are not an object"
    checker = tool["checker"]
    return (tool["name"], arguments), checker.fault(arguments) if checker is not None else None


def may_become_call(written: list[dict[str, Any]], text: str) -> bool:
    """Whether the beginning of an answer can still turn out to be a call, so that it must not be shown as text yet."""
    start = "".join(text.split())
    for tool in written:
        for word in ("arguments", "parameters"):
            call = f'{{"name":"{tool["name"]}","{word}":{{'
            if call.startswith(start) or start.startswith(call):
                return True
    return False
