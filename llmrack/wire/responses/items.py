"""`input`: the items of a conversation as chat's messages.

What one turn of the model is to Ollama, one message with reasoning, text and calls, is several items here, and what
developers say in the middle has no place of its own: Ollama moves system messages to the front, which loses its prompt
cache, and some templates refuse them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...catalog import Model
from ...errors import InvalidRequest
from .. import json_body
from ..chat import tools
from ..json_body import wrong_type
from ..places import Places
from . import reasoning
from .content import Content, Part
from .offers import Offers

MAX_ITEMS = 4096
# Items about what only OpenAI's own servers do; the conversation is whole without them.
SKIPPED = (
    "additional_tools",
    "code_interpreter_call",
    "compaction",
    "compaction_trigger",
    "computer_call",
    "computer_call_output",
    "configuration_update",
    "context_compaction",
    "file_search_call",
    "image_generation_call",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "program",
    "program_output",
    "tool_search_call",
    "tool_search_output",
    "web_search_call",
)
# Calls of tools that are no functions, with what they are called and where their arguments are.
_NATIVE_CALLS = {
    "local_shell_call": ("local_shell", "action"),
    "shell_call": ("shell", "action"),
    "apply_patch_call": ("apply_patch", "operation"),
}


def read(value: Any, instructions: str | None, model: Model, offers: Offers, places: Places) -> Reader:
    """Raises InvalidRequest with `param` down to the part, such as `input[1].content[0].text`."""
    reader = Reader(model, offers, places)
    if instructions:
        reader.instruct([(instructions, "instructions")])
    if isinstance(value, str):
        value = [{"role": "user", "content": value}]
    if not isinstance(value, list):
        raise wrong_type("input", "a string or an array of items", value)
    if not value:
        raise InvalidRequest("input must hold at least one item.", param="input")
    if len(value) > MAX_ITEMS:
        raise InvalidRequest(f"input takes at most {MAX_ITEMS} items.", param="input")
    for index, item in enumerate(value):
        reader.add(item, f"input[{index}]")
    reader.end()
    return reader


class Reader:
    """`messages` are chat's, `ignored` the items that were left out, `replaced` where characters were replaced."""

    def __init__(self, model: Model, offers: Offers, places: Places) -> None:
        self.messages: list[dict[str, Any]] = []
        self._content = Content(model)
        self.ignored = self._content.ignored
        self.replaced: list[str] = []
        self._offers = offers
        self._places = places
        self._calls: dict[str, str] = {}
        self._unanswered: set[str] = set()
        # The message that is the model's turn, as long as items may still belong to it.
        self._turn: dict[str, Any] | None = None
        self._turn_index = 0
        self._waiting: list[Part] = []
        self._has_begun = False

    def add(self, item: Any, param: str) -> None:
        if not isinstance(item, dict):
            raise wrong_type(param, "an object", item)
        kind = item.get("type") or "message"
        read = self._READERS.get(kind) if isinstance(kind, str) else None
        if read is not None:
            read(self, item, param)
        elif kind in SKIPPED:
            self.ignored.append(f"{param}:{kind}")
        else:
            raise InvalidRequest(
                f"{param}.type must be message, function_call, function_call_output, custom_tool_call,"
                " custom_tool_call_output or reasoning.",
                param=f"{param}.type",
            )

    def end(self) -> None:
        if self._waiting:
            self._say("user", [])

    def instruct(self, parts: list[Part]) -> None:
        if self.messages and self.messages[0]["role"] == "system":
            self._append(self.messages[0], parts, 0)
        else:
            self._say("system", parts)

    def _message(self, item: dict[str, Any], param: str) -> None:
        role = item.get("role")
        if role not in ("user", "assistant", "system", "developer"):
            raise InvalidRequest(
                f"{param}.role must be one of user, assistant, system, developer.", param=f"{param}.role"
            )
        parts = self._content.parts(item.get("content"), f"{param}.content", in_output=False)
        if role == "user":
            self._has_begun = True
            self._say("user", parts)
        elif role == "assistant":
            self._has_begun = True
            self._add_to_turn(parts)
        elif not self._has_begun:
            self.instruct(parts)
        else:
            self._tell_later(parts)

    def _tell_later(self, parts: list[Part]) -> None:
        """A developer's words in the middle go to the user's message, or the last result, that they stand beside."""
        last = self.messages[-1]
        if not self._unanswered and last["role"] in ("user", "tool"):
            self._append(last, parts, len(self.messages) - 1)
        else:
            self._waiting += parts

    def _say(self, role: str, parts: list[Part], **more: Any) -> None:
        """A message of its own, with what waited for one."""
        if role == "user":
            self._turn = None
            self._unanswered.clear()
            parts, self._waiting = self._waiting + parts, []
        message: dict[str, Any] = {"role": role, "content": [], **more}
        self.messages.append(message)
        self._append(message, parts, len(self.messages) - 1)

    def _append(self, message: dict[str, Any], parts: list[Part], index: int) -> None:
        content = message["content"]
        for part, place in parts:
            if isinstance(part, str):
                # Chat joins parts by one line end; what comes from several items are paragraphs of their own.
                is_new = (
                    content
                    and place.partition("]")[0]
                    != self._places.names.get(f"messages[{index}].content[{len(content) - 1}]", "").partition("]")[0]
                )
                part = {"type": "text", "text": f"\n{part}" if is_new else part}
            self._places.names[f"messages[{index}].content[{len(content)}]"] = place
            content.append(part)

    def _open_turn(self) -> dict[str, Any]:
        """The model's message that an item belongs to: one until the user, or the last result, has spoken."""
        is_next = bool(self.messages) and self.messages[-1] is self._turn and not self._waiting
        if self._turn is not None and (self._unanswered or is_next):
            return self._turn
        if self._waiting:
            self._say("user", [])
        self._turn, self._turn_index = {"role": "assistant", "content": []}, len(self.messages)
        self.messages.append(self._turn)
        return self._turn

    def _add_to_turn(self, parts: list[Part]) -> None:
        self._append(self._open_turn(), parts, self._turn_index)

    def _reasoning(self, item: dict[str, Any], param: str) -> None:
        text = None
        sealed = item.get("encrypted_content")
        if isinstance(sealed, str) and sealed:
            text = reasoning.unwrapped(sealed)
            if text is None:
                self.ignored.append(f"{param}.encrypted_content")
        for name in ("summary", "content"):
            if text is None and item.get(name):
                if not isinstance(item[name], list):
                    raise wrong_type(f"{param}.{name}", "an array", item[name])
                parts = self._content.parts(item[name], f"{param}.{name}", in_output=True)
                text = "\n".join(part for part, _ in parts if isinstance(part, str))
        if text:
            self._has_begun = True
            turn = self._open_turn()
            before = turn.get("reasoning_content")
            turn["reasoning_content"] = f"{before}\n{text}" if before else text

    def _function_call(self, item: dict[str, Any], param: str) -> None:
        text = item.get("arguments", "")
        if not isinstance(text, str | dict):
            raise wrong_type(f"{param}.arguments", "a JSON object written as a string", text)
        arguments: Any = text
        if isinstance(text, str):
            try:
                arguments, is_replaced = json_body.loads(text) if text.strip() else ({}, False)
            except InvalidRequest:
                arguments, is_replaced = None, False
            if is_replaced:
                self.replaced.append(f"{param}.arguments")
        if not isinstance(arguments, dict):
            # Agents store what a model wrote and send it for ever: a refusal would end the conversation for good.
            self.ignored.append(f"{param}.arguments")
            arguments = {"_raw": text}
        self._call(item, param, arguments)

    def _custom_call(self, item: dict[str, Any], param: str) -> None:
        if not isinstance(item.get("input", ""), str):
            raise wrong_type(f"{param}.input", "a string", item["input"])
        self._call(item, param, {"input": item.get("input", "")})

    def _native_call(self, item: dict[str, Any], param: str) -> None:
        name, key = _NATIVE_CALLS[item["type"]]
        arguments = item.get(key)
        self._call({**item, "name": name}, param, arguments if isinstance(arguments, dict) else {})

    def _call(self, item: dict[str, Any], param: str, arguments: dict[str, Any]) -> None:
        call_id = _call_id(item, param)
        name, namespace = tools.read_name(item.get("name"), f"{param}.name"), item.get("namespace")
        if namespace is not None:
            namespace = tools.read_name(namespace, f"{param}.namespace")
        name = self._offers.offered(name, namespace)
        self._has_begun = True
        turn = self._open_turn()
        self._calls[call_id] = name
        self._unanswered.add(call_id)
        function = {"name": name, "arguments": arguments}
        turn.setdefault("tool_calls", []).append({"id": call_id, "type": "function", "function": function})

    def _output(self, item: dict[str, Any], param: str) -> None:
        call_id = _call_id(item, param)
        name = self._calls.get(call_id)
        if name is None:
            raise InvalidRequest(
                f"{param}.call_id {call_id[:100]!r} is of no call before it. Send the call's own item too.",
                param=f"{param}.call_id",
            )
        parts = self._content.result(item.get("output"), item["type"], f"{param}.output")
        self._unanswered.discard(call_id)
        self._say("tool", parts, tool_call_id=call_id, name=name)
        if self._waiting and not self._unanswered:
            waiting, self._waiting = self._waiting, []
            self._append(self.messages[-1], waiting, len(self.messages) - 1)

    def _reference(self, item: dict[str, Any], param: str) -> None:
        raise InvalidRequest(
            "Answers are not stored here, so no item can be referred to by its id. Send the items themselves, and"
            " store: false.",
            param=param,
            code="unsupported_parameter",
        )

    _READERS: dict[str, Callable[[Reader, dict[str, Any], str], None]] = {
        "message": _message,
        "reasoning": _reasoning,
        "function_call": _function_call,
        "custom_tool_call": _custom_call,
        **dict.fromkeys(_NATIVE_CALLS, _native_call),
        **dict.fromkeys((f"{kind}_output" for kind in ("function_call", "custom_tool_call", *_NATIVE_CALLS)), _output),
        "item_reference": _reference,
    }


def _call_id(item: dict[str, Any], param: str) -> str:
    """Local shells name their calls by the item's own id."""
    for key in ("call_id", "id"):
        if isinstance(item.get(key), str) and item[key]:
            return str(item[key])
    if item.get("call_id") is not None:
        raise wrong_type(f"{param}.call_id", "a string", item["call_id"])
    raise json_body.missing(f"{param}.call_id")
