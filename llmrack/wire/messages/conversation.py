"""The conversation: Anthropic's turns of blocks as a chat's messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ...catalog import Model
from ...errors import InvalidRequest
from ..json_body import missing, wrong_type

# Claude Code puts this line before its system text. It differs from request to request, and with it in front no model
# server finds the beginning of the prompt in its cache.
BILLING_LINE = "x-anthropic-billing-header:"
NO_IMAGE = "[image omitted: the model takes no images]"
# What servers of Anthropic's make by themselves; here it is only read, as the text that it stands for.
_SERVER_BLOCKS = ("server_tool_use", "mcp_tool_use", "container_upload")
_IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")


@dataclass
class Conversation:
    """Chat's messages. `places` says what the client calls each, `seen_tools` are tools that the history names."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    seen_tools: set[str] = field(default_factory=set)

    def add(self, message: dict[str, Any], place: str) -> None:
        self.places[f"messages[{len(self.messages)}]"] = place
        self.messages.append(message)


def read(turns: Any, system: Any, model: Model) -> Conversation:
    """Raises InvalidRequest."""
    if not isinstance(turns, list):
        raise wrong_type("messages", "a list", turns)
    if not turns:
        raise InvalidRequest("messages must have at least one message.", param="messages")
    found = Conversation()
    texts = [_system(system, "system")] if system is not None else []
    first = 0
    while first < len(turns) and isinstance(turns[first], dict) and turns[first].get("role") == "system":
        texts.append(_system(turns[first].get("content"), f"messages[{first}].content"))
        first += 1
    if text := "\n\n".join(text for text in texts if text):
        found.add({"role": "system", "content": text}, "system")
    for number, turn in enumerate(turns[first:], first):
        _turn(turn, f"messages[{number}]", model, found)
    return found


def _system(content: Any, param: str) -> str:
    """The system text without the line that changes from request to request."""
    if isinstance(content, str):
        texts = [content]
    else:
        texts = [
            _text(block, place) for block, place in _blocks(content, param) if _kind(block, place, ("text",)) == "text"
        ]
    lines = [[line for line in text.split("\n") if not line.startswith(BILLING_LINE)] for text in texts]
    return "\n\n".join(text for text in map("\n".join, lines) if text)


def _turn(turn: Any, param: str, model: Model, found: Conversation) -> None:
    if not isinstance(turn, dict):
        raise wrong_type(param, "an object", turn)
    role, content = turn.get("role"), turn.get("content")
    if role == "system":
        _reminder(_system(content, f"{param}.content"), param, found)
        return
    if role not in ("user", "assistant"):
        raise InvalidRequest(f"{param}.role must be user, assistant or system.", param=f"{param}.role")
    if content is None:
        raise missing(f"{param}.content")
    blocks = [({"type": "text", "text": content}, f"{param}.content")]
    if not isinstance(content, str):
        blocks = _blocks(content, f"{param}.content")
    (_user if role == "user" else _assistant)(blocks, param, model, found)


def _reminder(text: str, param: str, found: Conversation) -> None:
    """A late system message, which some templates refuse, as text of the user's that is marked as not the user's."""
    marked = f"<system-reminder>\n{text}\n</system-reminder>"
    last = found.messages[-1] if found.messages else None
    if last is not None and last["role"] == "user" and isinstance(last["content"], str):
        last["content"] += f"\n\n{marked}"
    else:
        found.add({"role": "user", "content": marked}, param)


def _blocks(content: Any, param: str) -> list[tuple[dict[str, Any], str]]:
    if not isinstance(content, list):
        raise wrong_type(param, "a string or a list of blocks", content)
    found = []
    for number, block in enumerate(content):
        place = f"{param}[{number}]"
        if not isinstance(block, dict):
            raise wrong_type(place, "an object", block)
        found.append((block, place))
    return found


def _kind(block: dict[str, Any], place: str, known: tuple[str, ...]) -> str:
    kind = block.get("type")
    if not isinstance(kind, str) or kind not in known:
        raise InvalidRequest(f"{place}.type must be one of {', '.join(known)}.", param=f"{place}.type")
    return kind


def _string(block: dict[str, Any], name: str, place: str) -> str:
    value = block.get(name)
    if value is None:
        raise missing(f"{place}.{name}")
    if not isinstance(value, str):
        raise wrong_type(f"{place}.{name}", "a string", value)
    return value


def _text(block: dict[str, Any], place: str) -> str:
    return _string(block, "text", place)


def _user(blocks: list[tuple[dict[str, Any], str]], param: str, model: Model, found: Conversation) -> None:
    """Results of tools come first, because they answer the calls of the turn before; then what the user says."""
    parts: list[dict[str, Any]] = []
    for block, place in blocks:
        kind = block.get("type")
        if kind == "tool_result":
            content = _result(block, place, model, found)
            call = _string(block, "tool_use_id", place)
            found.add({"role": "tool", "tool_call_id": call, "content": content}, place)
        else:
            parts.append(_part(block, place, model, found, is_result=False))
    if parts:
        found.add({"role": "user", "content": _joined(parts)}, param)


def _joined(parts: list[dict[str, Any]]) -> Any:
    """Text alone is a string, so that a reminder can follow it and its beginning stays what it was."""
    if all(part["type"] == "text" for part in parts):
        return "\n\n".join(part["text"] for part in parts)
    return parts


def _result(block: dict[str, Any], place: str, model: Model, found: Conversation) -> Any:
    content = block.get("content")
    if content is None:
        content = ""
    if isinstance(content, str):
        parts: list[dict[str, Any]] = [{"type": "text", "text": content}]
    else:
        parts = [
            _part(inner, where, model, found, is_result=True) for inner, where in _blocks(content, f"{place}.content")
        ]
    if block.get("is_error") is True:
        parts.insert(0, {"type": "text", "text": "Error: "})
        if len(parts) > 1 and parts[1]["type"] == "text":
            parts[:2] = [{"type": "text", "text": f"Error: {parts[1]['text']}"}]
    return _joined(parts)


def _part(block: dict[str, Any], place: str, model: Model, found: Conversation, *, is_result: bool) -> dict[str, Any]:
    kind = block.get("type")
    read = _PARTS.get(kind) if isinstance(kind, str) else None
    if read is None:
        if isinstance(kind, str) and (kind in _SERVER_BLOCKS or kind.endswith("_tool_result")):
            return {"type": "text", "text": _as_text(block)}
        _kind(block, place, tuple(_PARTS))
    if kind == "image" and is_result and not model.can("vision"):
        found.ignored.append(place)
        return {"type": "text", "text": NO_IMAGE}
    if kind == "tool_reference":
        found.seen_tools.add(_string(block, "tool_name", place))
    return read(block, place)  # type: ignore[misc]


def _as_text(block: dict[str, Any]) -> str:
    """What another server did, in words, so that a conversation begun there can go on here."""
    inside = block.get("input", block.get("content"))
    return f"[{block['type']}: {str(inside)[:20_000]}]"


def _image(block: dict[str, Any], place: str) -> dict[str, Any]:
    source = block.get("source")
    if not isinstance(source, dict):
        raise wrong_type(f"{place}.source", "an object", source)
    kind = source.get("type")
    if kind == "url":
        return {"type": "image_url", "image_url": {"url": _string(source, "url", f"{place}.source")}}
    if kind != "base64":
        raise InvalidRequest(f"{place}.source.type must be base64 or url.", param=f"{place}.source.type")
    media_type = _string(source, "media_type", f"{place}.source")
    if media_type not in _IMAGE_TYPES:
        raise InvalidRequest(
            f"{place}.source.media_type must be one of {', '.join(_IMAGE_TYPES)}.", param=f"{place}.source.media_type"
        )
    data = _string(source, "data", f"{place}.source")
    return {"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{data}"}}


def _document(block: dict[str, Any], place: str) -> dict[str, Any]:
    source = block.get("source")
    if not isinstance(source, dict):
        raise wrong_type(f"{place}.source", "an object", source)
    kind = source.get("type")
    if kind == "text":
        text = _string(source, "data", f"{place}.source")
    elif kind == "content":
        content = source.get("content")
        inner = f"{place}.source.content"
        text = content if isinstance(content, str) else "\n\n".join(_text(*found) for found in _blocks(content, inner))
    else:
        raise InvalidRequest(
            f"{place}.source.type: this server does not support PDF input or files; send the document as text.",
            param=f"{place}.source.type",
        )
    title = block.get("title")
    return {"type": "text", "text": f"{title}\n\n{text}" if isinstance(title, str) and title else text}


def _search_result(block: dict[str, Any], place: str) -> dict[str, Any]:
    texts = [_text(*found) for found in _blocks(block.get("content"), f"{place}.content")]
    head = [str(block[name]) for name in ("title", "source") if isinstance(block.get(name), str)]
    return {"type": "text", "text": "\n".join([*head, *texts])}


_PARTS: dict[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
    "text": lambda block, place: {"type": "text", "text": _text(block, place)},
    "image": _image,
    "document": _document,
    "search_result": _search_result,
    "tool_reference": lambda block, place: {
        "type": "text",
        "text": f"Tool {_string(block, 'tool_name', place)} is available now.",
    },
}


def _assistant(blocks: list[tuple[dict[str, Any], str]], param: str, model: Model, found: Conversation) -> None:
    texts: list[str] = []
    calls: list[dict[str, Any]] = []
    thoughts: list[str] = []
    for block, place in blocks:
        kind = block.get("type")
        if kind == "text":
            texts.append(_text(block, place))
        elif kind == "tool_use":
            given = block.get("input", {})
            if not isinstance(given, dict):
                raise wrong_type(f"{place}.input", "an object", given)
            function = {"name": _string(block, "name", place), "arguments": given}
            calls.append({"id": _string(block, "id", place), "type": "function", "function": function})
        elif kind == "thinking":
            thoughts.append(_string(block, "thinking", place))
        elif kind == "redacted_thinking":
            found.ignored.append(place)
        elif isinstance(kind, str) and (kind in _SERVER_BLOCKS or kind.endswith("_tool_result")):
            texts.append(_as_text(block))
        else:
            _kind(block, place, ("text", "tool_use", "thinking", "redacted_thinking"))
    message: dict[str, Any] = {"role": "assistant", "content": "\n\n".join(texts)}
    if thoughts:
        message["reasoning_content"] = "\n\n".join(thoughts)
    if calls:
        message["tool_calls"] = calls
    found.add(message, param)
