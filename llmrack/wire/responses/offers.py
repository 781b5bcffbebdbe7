"""Tools of a response: each kind is offered to the model as a function, and a call is given back in its own kind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ...errors import InvalidRequest
from ..chat import tools
from ..json_body import wrong_type
from ..places import Places

LONGEST_NAME = 128
_CUSTOM_PARAMETERS = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The whole input of the tool, as plain text."}},
    "required": ["input"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Offer:
    """A tool under the name that the model knows, with the name and namespace that the client knows."""

    offered: str
    name: str
    namespace: str | None = None
    is_custom: bool = False


class Offers:
    """The tools of one request. `chat` is what chat's `tools` take; `skipped` names those that are not offered."""

    def __init__(self) -> None:
        self.chat: list[dict[str, Any]] = []
        self.skipped: list[str] = []
        self._by_offered: dict[str, Offer] = {}
        self._by_name: dict[tuple[str | None, str], Offer] = {}

    def made(self, offered: str) -> Offer:
        """The tool a model called; a name that was never offered stands for a function of that name."""
        return self._by_offered.get(offered) or Offer(offered, offered)

    def offered(self, name: str, namespace: str | None) -> str:
        """What the model knows a tool by, also one of an earlier turn that is offered no more."""
        known = self._by_name.get((namespace, name))
        if known is not None:
            return known.offered
        return (f"{namespace}__{name}" if namespace else name)[:LONGEST_NAME]

    def has(self, name: str, *, is_custom: bool) -> bool:
        known = self._by_name.get((None, name))
        return known is not None and known.is_custom == is_custom

    def names_in(self, namespace: str) -> list[str]:
        return [offer.offered for (space, _), offer in self._by_name.items() if space == namespace]

    def add(self, tool: dict[str, Any], param: str, places: Places, namespace: str | None = None) -> None:
        if len(self.chat) == tools.MAX_TOOLS:
            raise InvalidRequest(
                f"tools takes at most {tools.MAX_TOOLS} tools, members of namespaces included.", param="tools"
            )
        is_custom = tool.get("type") == "custom"
        name = tools.read_name(tool.get("name"), f"{param}.name")
        offer = Offer(self._unused(self.offered(name, namespace)), name, namespace, is_custom)
        self._by_offered[offer.offered] = offer
        self._by_name.setdefault((namespace, name), offer)
        function: dict[str, Any] = {"name": offer.offered, "description": tool.get("description")}
        if is_custom:
            if function["description"] is not None and not isinstance(function["description"], str):
                raise wrong_type(f"{param}.description", "a string", function["description"])
            function |= {
                "description": _described(tool, param),
                "parameters": _CUSTOM_PARAMETERS,
                "strict": True,
            }
        else:
            function |= {"parameters": tool.get("parameters"), "strict": tool.get("strict")}
        place = f"tools[{len(self.chat)}]"
        places.names |= {place: param, f"{place}.function": param}
        self.chat.append({"type": "function", "function": function})

    def _unused(self, name: str) -> str:
        """Two tools of one name would be one to the model, and its call could be given back as either."""
        number, unused = 2, name
        while unused in self._by_offered:
            ending = f"_{number}"
            unused, number = name[: LONGEST_NAME - len(ending)] + ending, number + 1
        return unused


def _described(tool: dict[str, Any], param: str) -> str:
    """A grammar cannot be enforced here, so the model is told it."""
    text: str = tool.get("description") or ""
    form = tool.get("format")
    if form is None:
        return text
    if not isinstance(form, dict):
        raise wrong_type(f"{param}.format", "an object", form)
    definition = form.get("definition")
    if isinstance(definition, str):
        text += f"\n\nThe input must follow this {form.get('syntax', 'lark')} grammar:\n{definition}"
    return text.strip()


def read(value: Any, places: Places) -> Offers:
    """Kinds of tools that nobody here can run are skipped and named, never refused: agents send them each time.

    Raises InvalidRequest.
    """
    offers = Offers()
    if not isinstance(value, list):
        raise wrong_type("tools", "an array", value)
    if len(value) > tools.MAX_TOOLS:
        raise InvalidRequest(f"tools takes at most {tools.MAX_TOOLS} tools.", param="tools")
    for index, tool in enumerate(value):
        param = f"tools[{index}]"
        if not isinstance(tool, dict):
            raise wrong_type(param, "an object", tool)
        kind = tool.get("type")
        if not isinstance(kind, str):
            raise wrong_type(f"{param}.type", "a string", kind)
        if kind in ("function", "custom"):
            offers.add(tool, param, places)
        elif kind == "namespace":
            _read_namespace(offers, tool, param, places)
        else:
            offers.skipped.append(f"{param}:{kind}")
    return offers


def _read_namespace(offers: Offers, tool: dict[str, Any], param: str, places: Places) -> None:
    namespace, members = tools.read_name(tool.get("name"), f"{param}.name"), tool.get("tools")
    if not isinstance(members, list):
        raise wrong_type(f"{param}.tools", "an array", members)
    about = tool.get("description")
    if about is not None and not isinstance(about, str):
        raise wrong_type(f"{param}.description", "a string", about)
    first = len(offers.chat)
    for index, member in enumerate(members):
        where = f"{param}.tools[{index}]"
        if not isinstance(member, dict):
            raise wrong_type(where, "an object", member)
        if member.get("type", "function") in ("function", "custom"):
            offers.add(member, where, places, namespace)
        else:
            offers.skipped.append(f"{where}:{member.get('type')}")
    if about and len(offers.chat) > first:
        # A function has no place for what its whole namespace is about, so the first member says it.
        function = offers.chat[first]["function"]
        own = function["description"]
        if own is None or isinstance(own, str):
            function["description"] = f"{about}\n\n{own}" if own else about


def read_choice(value: Any, offers: Offers) -> Any:
    """`tool_choice` in chat's form. Raises InvalidRequest, also for a tool that is not offered."""
    if value in ("none", "auto", "required"):
        return value
    kind = value.get("type") if isinstance(value, dict) else None
    if kind in ("function", "custom"):
        names = _chosen(value, "tool_choice", offers)
        return {"type": "function", "function": {"name": names[0]}}
    if kind != "allowed_tools":
        raise InvalidRequest(
            'tool_choice must be "none", "auto", "required", or {"type": "function", "name": ...}.'
            if kind is None
            else f"tool_choice asks for {str(kind)[:100]!r}, which is not offered here.",
            param="tool_choice",
        )
    allowed = value.get("tools")
    if not isinstance(allowed, list):
        raise wrong_type("tool_choice.tools", "an array", allowed)
    if value.get("mode", "auto") not in ("auto", "required"):
        raise InvalidRequest("tool_choice.mode must be auto or required.", param="tool_choice.mode")
    names = [
        name for index, tool in enumerate(allowed) for name in _chosen(tool, f"tool_choice.tools[{index}]", offers)
    ]
    functions = [{"type": "function", "function": {"name": name}} for name in names]
    return {
        "type": "allowed_tools",
        "allowed_tools": {"mode": value.get("mode", "auto"), "tools": functions},
    }


def _chosen(tool: Any, param: str, offers: Offers) -> list[str]:
    if not isinstance(tool, dict):
        raise wrong_type(param, "an object", tool)
    name, namespace = tools.read_name(tool.get("name"), f"{param}.name"), tool.get("namespace")
    if tool.get("type") == "namespace" and (members := offers.names_in(name)):
        return members
    if isinstance(namespace, str):
        offered = offers.offered(name, namespace)
        if offered in offers.names_in(namespace):
            return [offered]
    elif offers.has(name, is_custom=tool.get("type") == "custom"):
        return [offers.offered(name, None)]
    raise InvalidRequest(f"tool_choice names {name!r}, which is not among the tools.", param="tool_choice")


def call_item(offer: Offer, call_id: str, arguments: str) -> dict[str, Any]:
    """A call as the item of its kind, without id and status: (kind-specific text under `arguments` or `input`)."""
    if not offer.is_custom:
        item = {"type": "function_call", "call_id": call_id, "name": offer.name, "arguments": arguments}
        return item if offer.namespace is None else {**item, "namespace": offer.namespace}
    given = json.loads(arguments)
    text = given.get("input")
    if not isinstance(text, str):
        # A model that was not held to the one parameter may have named it otherwise.
        only = next(iter(given.values()), "") if len(given) == 1 else arguments
        text = only if isinstance(only, str) else arguments
    item = {"type": "custom_tool_call", "call_id": call_id, "name": offer.name, "input": text}
    return item if offer.namespace is None else {**item, "namespace": offer.namespace}
