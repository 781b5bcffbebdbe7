"""Tools a client offers, and its choice among them, as the model server reads them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...errors import InvalidRequest
from ..json_body import wrong_type
from ..json_schema import inline, reading, validation

MAX_TOOLS = 128
_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")
# Of all tools together, once their references are written out. Sixteen tools of an agent have about 1,000.
MAX_PARTS = 20_000
NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}


@dataclass(frozen=True)
class Tool:
    """A function on offer. `schema` is the client's own, `parameters` the same with its references written out."""

    name: str
    description: str
    parameters: dict[str, Any]
    schema: dict[str, Any]
    is_strict: bool
    param: str

    @cached_property
    def checker(self) -> validation.Checker | None:
        """Only a strict function promises arguments that hold its schema. Raises InvalidRequest."""
        return validation.checker(self.schema, f"{self.param}.parameters") if self.is_strict and self.schema else None


def read(value: Any, param: str) -> list[Tool]:
    """[{"type": "function", "function": {"name", "description"?, "parameters"?, "strict"?}}], checked."""
    if not isinstance(value, list):
        raise wrong_type(param, "an array", value)
    if len(value) > MAX_TOOLS:
        raise InvalidRequest(f"{param} takes at most {MAX_TOOLS} tools.", param=param)
    budget = inline.Budget(param, MAX_PARTS)
    allowance = reading.Allowance(param)
    return [_read_tool(tool, f"{param}[{index}]", budget, allowance) for index, tool in enumerate(value)]


def _read_tool(tool: Any, param: str, budget: inline.Budget, allowance: reading.Allowance) -> Tool:
    if not isinstance(tool, dict):
        raise wrong_type(param, "an object", tool)
    if tool.get("type", "function") != "function":
        raise InvalidRequest(f"{param}.type must be function; other tools are not supported.", param=f"{param}.type")
    function, param = tool.get("function"), f"{param}.function"
    if not isinstance(function, dict):
        raise wrong_type(param, "an object", function)
    name = read_name(function.get("name"), f"{param}.name")
    for key, kind, words in _OPTIONAL:
        if function.get(key) is not None and not isinstance(function[key], kind):
            raise wrong_type(f"{param}.{key}", words, function[key])
    schema = function.get("parameters") or {}
    allowance.admit(schema, f"{param}.parameters")
    return Tool(
        name,
        function.get("description") or "",
        inline.inline(schema, f"{param}.parameters", budget) if schema else NO_PARAMETERS,
        schema,
        function.get("strict") is True,
        param,
    )


_OPTIONAL = (("description", str, "a string"), ("strict", bool, "true or false"), ("parameters", dict, "an object"))


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
        raise wrong_type(f"{param}.function", "an object", function)
    return read_name(function.get("name"), f"{param}.function.name")


def chosen(offered: list[Tool], choice: Choice) -> list[Tool]:
    """The tools a choice leaves. Raises InvalidRequest for a choice that cannot be met."""
    if choice.names is None:
        left = offered
    else:
        known = {tool.name for tool in offered}
        for name in choice.names:
            if name not in known:
                raise InvalidRequest(f"tool_choice names {name!r}, which is not among the tools.", param="tool_choice")
        left = [tool for tool in offered if tool.name in choice.names]
    if choice.is_forced and not left:
        raise InvalidRequest("tool_choice asks for a call, but there are no tools.", param="tool_choice")
    return left


def instruction(tools: list[Tool]) -> str:
    """The tools in words, for a model whose template has no place for them."""
    listed = "\n".join(json.dumps(tool["function"], ensure_ascii=False) for tool in to_ollama(tools))
    return (
        'Answer with one call of one of these functions, as {"name": ..., "arguments": {...}} and nothing else:\n'
        + listed
    )


def to_ollama(tools: list[Tool]) -> list[dict[str, Any]]:
    """The tools as Ollama reads them. Its structs refuse what does not fit their types, so only that is sent."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": _parameters(tool.parameters),
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
