"""JSON Schemas by name for what is inside requests, and the small parts that schemas are made of."""

from __future__ import annotations

from typing import Any

from ..chat.response_format import TYPES
from ..fields.types import nullable

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
NOTHING: Schema = {"type": "null"}
TOOL_NAME: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_.:/-]{1,128}$"}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Schema, **bounds: int) -> Schema:
    return {"type": "array", "items": items, **bounds}


def exactly(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def closed(properties: dict[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    """An answer's object: every key is always there but for the optional ones, and there are no others."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def given(properties: dict[str, Schema], *required: str) -> Schema:
    """An object inside a request: clients may add what they like."""
    return {"type": "object", "properties": properties, "required": list(required)}


_NAMED_FUNCTION = given({"type": exactly("function"), "function": given({"name": TOOL_NAME}, "name")}, "function")

_CONTENT: Schema = {"anyOf": [TEXT, array(ref("ContentPart")), NOTHING]}

REQUESTS: dict[str, Schema] = {
    "ContentPart": {
        "anyOf": [
            given({"type": exactly("text"), "text": TEXT}, "type", "text"),
            given(
                {
                    "type": exactly("image_url"),
                    "image_url": {"anyOf": [TEXT, given({"url": TEXT, "detail": {}}, "url")]},
                },
                "type",
                "image_url",
            ),
            given({"type": exactly("refusal"), "refusal": TEXT}, "type", "refusal"),
        ]
    },
    "ChatMessage": {
        "anyOf": [
            given({"role": exactly("system", "developer", "user"), "content": _CONTENT, "name": {}}, "role", "content"),
            given(
                {
                    "role": exactly("assistant"),
                    "content": _CONTENT,
                    "tool_calls": {"anyOf": [array(ref("EarlierToolCall")), NOTHING]},
                    "reasoning_content": {"description": "Replayed to models with the reasoning capability."},
                },
                "role",
            ),
            given(
                {
                    "role": exactly("tool", "function"),
                    "content": _CONTENT,
                    "tool_call_id": nullable(TEXT),
                    "name": {"description": "Of the tool; without it, the call's own is looked up."},
                },
                "role",
                "content",
            ),
        ]
    },
    "EarlierToolCall": given(
        {
            "id": {},
            "type": {},
            "function": given(
                {
                    "name": TOOL_NAME,
                    "arguments": {
                        "anyOf": [{**TEXT, "contentMediaType": "application/json"}, {"type": "object"}],
                        "description": "A JSON object written as a string.",
                    },
                },
                "name",
            ),
        },
        "function",
    ),
    "Tool": given(
        {
            "type": exactly("function"),
            "function": given(
                {
                    "name": TOOL_NAME,
                    "description": nullable(TEXT),
                    "parameters": {"type": ["object", "null"], "description": "A JSON Schema."},
                    "strict": nullable(FLAG),
                },
                "name",
            ),
        },
        "function",
    ),
    "ToolChoice": {
        "anyOf": [
            exactly("none", "auto", "required"),
            _NAMED_FUNCTION,
            given(
                {
                    "type": exactly("allowed_tools"),
                    "allowed_tools": given(
                        {"mode": exactly("auto", "required"), "tools": array(_NAMED_FUNCTION)}, "mode", "tools"
                    ),
                },
                "type",
                "allowed_tools",
            ),
        ]
    },
    "ResponseFormat": {
        "type": "object",
        "properties": {"type": exactly(*TYPES)},
        "required": ["type"],
        "anyOf": [
            {"properties": {"type": exactly("text", "json_object")}},
            {
                "properties": {
                    "json_schema": given(
                        {
                            "name": nullable(TEXT),
                            "description": nullable(TEXT),
                            "strict": nullable(FLAG),
                            "schema": {"type": "object", "description": "A JSON Schema."},
                        },
                        "schema",
                    )
                },
                "required": ["json_schema"],
            },
        ],
    },
}
