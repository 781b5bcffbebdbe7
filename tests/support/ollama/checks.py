"""What the real server refuses, with its statuses and sentences (api/types.go, server/routes.go of ollama/ollama)."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

INTEGERS = ("num_keep", "seed", "num_predict", "top_k", "repeat_last_n", "num_ctx", "num_batch", "num_gpu", "main_gpu")
INTEGERS += ("num_thread", "draft_num_predict")
FLOATS = ("top_p", "min_p", "typical_p", "temperature", "repeat_penalty", "presence_penalty", "frequency_penalty")
DURATION = re.compile(r"^[+-]?(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$|^[+-]?0$")
UNIT_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

COMMON = {"model": str, "stream": bool, "options": dict, "truncate": bool, "shift": bool, "logprobs": bool}
COMMON |= {"top_logprobs": int, "_debug_render_only": bool}
CHAT = COMMON | {"messages": list, "tools": list}
GENERATE = COMMON | {"prompt": str, "suffix": str, "system": str, "template": str, "context": list, "raw": bool}
GENERATE |= {"images": list}
EMBED = {"model": str, "options": dict, "truncate": bool, "dimensions": int}
GO = {str: "string", bool: "bool", int: "int", list: "[]", dict: "map[string]interface {}"}


class Refused(Exception):
    """An answer other than 200: `{"error": message}`, plus further members."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": message, **more}


def decode(raw: bytes) -> dict[str, Any]:
    if not raw:
        raise Refused(400, "missing request body")
    try:
        body = json.loads(raw, parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"invalid character in request body: {error}") from error
    if not isinstance(body, dict):
        raise Refused(400, f"json: cannot unmarshal {_kind(body)} into Go value of type api.ChatRequest")
    return body


def chat(body: dict[str, Any]) -> None:
    _fields("ChatRequest", body, CHAT)
    _shared(body)
    for message in body.get("messages") or []:
        _message(message)
    for tool in body.get("tools") or []:
        _tool(tool)


def generate(body: dict[str, Any]) -> None:
    _fields("GenerateRequest", body, GENERATE)
    _shared(body)
    _images(body.get("images") or [])
    if body.get("raw") and (body.get("template") or body.get("system") or body.get("context")):
        raise Refused(400, "raw mode does not support template, system, or context")


def embed(body: dict[str, Any]) -> list[str]:
    _fields("EmbedRequest", body, EMBED)
    keep_alive_s(body.get("keep_alive"))
    given = body.get("input")
    texts = given if isinstance(given, list) else [] if given in (None, "") else [given]
    if not all(isinstance(text, str) for text in texts):
        raise Refused(400, "invalid input type")
    return texts


def options(given: dict[str, Any]) -> None:
    """Wrong types surface as 500: the scheduler's error handler knows no better (`handleScheduleError`)."""
    for name, value in given.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is None:
            continue
        if name in INTEGERS and not number:
            raise Refused(500, f'option "{name}" must be of type integer')
        if name in FLOATS and not number:
            raise Refused(500, f'option "{name}" must be of type float32')
        if name == "use_mmap" and not isinstance(value, bool):
            raise Refused(500, f'option "{name}" must be of type boolean')
        if name == "stop" and not isinstance(value, list):
            raise Refused(500, f'option "{name}" must be of type array')
        if name == "stop" and not all(isinstance(word, str) for word in value):
            raise Refused(500, f'option "{name}" must be of an array of strings')


def response_format(value: Any) -> None:
    """Checked when generation starts, so it comes after every other refusal, as a 500."""
    if value in (None, "", "json") or isinstance(value, dict):
        return
    raise Refused(
        500, f'invalid format: {json.dumps(json.dumps(value))}; expected "json" or a valid JSON Schema object'
    )


def keep_alive_s(value: Any) -> float | None:
    """Seconds; negative means for ever, None means that nothing was asked for."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str):
        raise Refused(400, f"Unsupported type: '{_kind(value)}'")
    if not DURATION.match(value):
        raise Refused(400, f'time: invalid duration "{value}"')
    parts = re.findall(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)", value)
    seconds = sum(float(amount) * UNIT_S[unit] for amount, unit in parts)
    return -seconds if value.startswith("-") else seconds


def _fields(struct: str, body: dict[str, Any], types: dict[str, type]) -> None:
    for name, kind in types.items():
        _typed(f"{struct}.{name}", body.get(name), kind)


def _shared(body: dict[str, Any]) -> None:
    keep_alive_s(body.get("keep_alive"))
    think = body.get("think")
    if isinstance(think, str) and think not in ("high", "medium", "low", "max"):
        raise Refused(400, f'invalid think value: "{think}" (must be "high", "medium", "low", "max", true, or false)')
    if think is not None and not isinstance(think, str | bool):
        raise Refused(400, 'think must be a boolean or string ("high", "medium", "low", "max", true, or false)')
    if not 0 <= (body.get("top_logprobs") or 0) <= 20:
        raise Refused(400, "top_logprobs must be between 0 and 20")


def _message(message: Any) -> None:
    _typed("ChatRequest.messages", message, dict)
    for name in ("role", "content", "thinking", "tool_name", "tool_call_id"):
        _typed(f"Message.messages.{name}", message.get(name), str)
    _typed("Message.messages.images", message.get("images"), list)
    _typed("Message.messages.tool_calls", message.get("tool_calls"), list)
    _images(message.get("images") or [])
    for call in message.get("tool_calls") or []:
        _typed("Message.messages.tool_calls", call, dict)
        _typed("ToolCall.tool_calls.id", call.get("id"), str)
        _typed("ToolCall.tool_calls.function", call.get("function"), dict)
        function = call.get("function") or {}
        _typed("ToolCallFunction.function.index", function.get("index"), int)
        _typed("ToolCallFunction.function.name", function.get("name"), str)
        if not isinstance(function.get("arguments", {}), dict | None):
            raise Refused(400, f"invalid character '{json.dumps(function['arguments'])[:1]}', expected object")


def _tool(tool: Any) -> None:
    _typed("ChatRequest.tools", tool, dict)
    _typed("Tool.tools.type", tool.get("type"), str)
    _typed("Tool.tools.function", tool.get("function"), dict)
    function = tool.get("function") or {}
    for name in ("name", "description"):
        _typed(f"ToolFunction.function.{name}", function.get(name), str)
    _typed("ToolFunction.function.parameters", function.get("parameters"), dict)
    parameters = function.get("parameters") or {}
    _typed("ToolFunctionParameters.parameters.type", parameters.get("type"), str)
    _typed("ToolFunctionParameters.parameters.required", parameters.get("required"), list)
    _typed("ToolFunctionParameters.parameters.properties", parameters.get("properties"), dict)
    for name, row in (parameters.get("properties") or {}).items():
        _typed(f"ToolProperty.properties.{name}", row, dict)
        _typed("ToolProperty.properties.enum", row.get("enum"), list)
        _typed("ToolProperty.properties.description", row.get("description"), str)
        if not isinstance(row.get("type", ""), str | list | None):
            raise Refused(400, f"json: cannot unmarshal {_kind(row['type'])} into Go value of type []string")


def _images(images: list[Any]) -> None:
    for image in images:
        _typed("Message.messages.images", image, str)
        try:
            base64.b64decode(image, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refused(400, "illegal base64 data at input byte 4") from error


def _typed(path: str, value: Any, kind: type) -> None:
    """Go leaves a field alone when it is null or absent, and fails on any other kind."""
    right = isinstance(value, kind) and (kind is not int or not isinstance(value, bool))
    if value is None or right or (kind is int and isinstance(value, float) and value.is_integer()):
        return
    raise Refused(400, f"json: cannot unmarshal {_kind(value)} into Go struct field {path} of type {GO[kind]}")


def _kind(value: Any) -> str:
    names = {bool: "bool", str: "string", list: "array", dict: "object", int: "number", float: "number"}
    return names.get(type(value), "null")


def _not_json(word: str) -> None:
    raise ValueError(f"{word} is not JSON")
