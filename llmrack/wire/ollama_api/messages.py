"""Ollama's messages as chat's: the same roles, but images, reasoning and tools under names of their own."""

from __future__ import annotations

from typing import Any

from ..json_body import wrong_type

# The kind of an image is read from its bytes; a data URI has to say one.
_PREFIX = "data:image/png;base64,"


def read(value: Any, param: str) -> list[Any]:
    """Raises InvalidRequest for what chat would not name in Ollama's words."""
    if not isinstance(value, list):
        raise wrong_type(param, "an array", value)
    return [_message(message, f"{param}[{index}]") for index, message in enumerate(value)]


def _message(message: Any, param: str) -> dict[str, Any]:
    if not isinstance(message, dict):
        raise wrong_type(param, "an object", message)
    role = message.get("role")
    ours: dict[str, Any] = {"role": role.lower() if isinstance(role, str) else role}
    content = _text(message.get("content"), f"{param}.content")
    ours["content"] = with_images(content, message.get("images"), f"{param}.images")
    if message.get("thinking"):
        ours["reasoning_content"] = message["thinking"]
    if message.get("tool_calls") is not None:
        ours["tool_calls"] = _calls(message["tool_calls"], f"{param}.tool_calls")
    if message.get("tool_name") is not None:
        ours["name"] = _text(message["tool_name"], f"{param}.tool_name")
    if message.get("tool_call_id"):
        ours["tool_call_id"] = message["tool_call_id"]
    return ours


def with_images(content: str, images: Any, param: str) -> str | list[dict[str, Any]]:
    """Content as chat reads it. Raises InvalidRequest when `images` is no list of strings."""
    if images is None or images == []:
        return content
    if not isinstance(images, list):
        raise wrong_type(param, "an array of base64 strings", images)
    parts: list[dict[str, Any]] = []
    for index, image in enumerate(images):
        if not isinstance(image, str):
            raise wrong_type(f"{param}[{index}]", "a base64 string", image)
        url = image if image.startswith("data:") else _PREFIX + image
        parts.append({"type": "image_url", "image_url": {"url": url}})
    return [*parts, {"type": "text", "text": content}]


def _text(value: Any, param: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise wrong_type(param, "a string", value)
    return value


def _calls(value: Any, param: str) -> Any:
    """Ollama's arguments are an object; chat also takes them as text, and so do we."""
    if not isinstance(value, list):
        raise wrong_type(param, "an array", value)
    calls = []
    for index, call in enumerate(value):
        where = f"{param}[{index}].function"
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise wrong_type(where, "an object", function)
        arguments = function.get("arguments")
        if arguments is not None and not isinstance(arguments, dict | str):
            raise wrong_type(f"{where}.arguments", "an object", arguments)
        calls.append({**call, "function": {**function, "arguments": "" if arguments is None else arguments}})
    return calls
