"""Tools and the choice among them, in chat's form."""

from __future__ import annotations

from typing import Any

from ...errors import InvalidRequest
from ..json_body import wrong_type

# Stands in a list of deferred tools for those that are not there; it is never to be called.
PLACEHOLDER = "DeferredToolPlaceholder"
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def read(tools: Any, seen: set[str]) -> tuple[list[dict[str, Any]], dict[str, str], list[str]]:
    """(chat's tools, what the client calls each of their places, the places of those that are not offered).

    A typed tool (bash, web search, ...) needs a model that was trained for it, and has no schema. A deferred tool is
    offered once the conversation names it (`seen`), or when the search that would find it cannot run here.
    Raises InvalidRequest.
    """
    offered: list[dict[str, Any]] = []
    places: dict[str, str] = {}
    skipped: list[str] = []
    kinds = [str(tool.get("type", "")) for tool in tools if isinstance(tool, dict)]
    finds_all = any(kind.startswith("tool_search_tool") for kind in kinds)
    for number, tool in enumerate(tools):
        place = f"tools[{number}]"
        if not isinstance(tool, dict):
            raise wrong_type(place, "an object", tool)
        if tool.get("type", "custom") not in ("custom", None):
            skipped.append(place)
            continue
        name = tool.get("name")
        if name == PLACEHOLDER or (tool.get("defer_loading") is True and not finds_all and name not in seen):
            continue
        function = {key: tool[key] for key in ("name", "description", "strict") if tool.get(key) is not None}
        if tool.get("input_schema") is not None:
            function["parameters"] = tool["input_schema"]
        places |= {
            f"tools[{len(offered)}].function.parameters": f"{place}.input_schema",
            f"tools[{len(offered)}].function": place,
            f"tools[{len(offered)}]": place,
        }
        offered.append({"type": "function", "function": function})
    return offered, places, skipped


def read_choice(choice: Any, chat: dict[str, Any]) -> None:
    """Puts the choice into chat's fields. Raises InvalidRequest."""
    kind = choice.get("type")
    if choice.get("disable_parallel_tool_use") is True:
        chat["parallel_tool_calls"] = False
    if kind == "tool":
        name = choice.get("name")
        if not isinstance(name, str):
            raise wrong_type("tool_choice.name", "a string", name)
        chat["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif isinstance(kind, str) and kind in _CHOICES:
        chat["tool_choice"] = _CHOICES[kind]
    else:
        raise InvalidRequest("tool_choice.type must be auto, any, tool or none.", param="tool_choice.type")
