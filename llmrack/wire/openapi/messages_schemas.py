"""The JSON Schemas of a message, its events and its failures."""

from __future__ import annotations

from .request_schemas import COUNT, TEXT, Schema, array, closed, exactly, ref

_BLOCK: Schema = {
    "anyOf": [
        closed({"type": exactly("text"), "text": TEXT}),
        closed({"type": exactly("thinking"), "thinking": TEXT, "signature": TEXT}),
        closed({"type": exactly("tool_use"), "id": TEXT, "name": TEXT, "input": {"type": "object"}}),
    ]
}
_USAGE = closed(
    {
        "input_tokens": COUNT,
        "cache_creation_input_tokens": COUNT,
        "cache_read_input_tokens": COUNT,
        "output_tokens": COUNT,
    }
)
_STOP: Schema = {
    "enum": ["end_turn", "max_tokens", "tool_use", "model_context_window_exceeded", None],
    "description": "Null in the event that begins a stream.",
}
_DELTA: Schema = {
    "anyOf": [
        closed({"type": exactly("text_delta"), "text": TEXT}),
        closed({"type": exactly("thinking_delta"), "thinking": TEXT}),
        closed({"type": exactly("signature_delta"), "signature": TEXT}),
        closed({"type": exactly("input_json_delta"), "partial_json": TEXT}),
    ]
}

MESSAGES: dict[str, Schema] = {
    "Message": closed(
        {
            "id": TEXT,
            "type": exactly("message"),
            "role": exactly("assistant"),
            "model": TEXT,
            "content": array(_BLOCK),
            "stop_reason": _STOP,
            "stop_sequence": {"type": "null"},
            "usage": _USAGE,
        }
    ),
    "MessageEvent": {
        "anyOf": [
            closed({"type": exactly("message_start"), "message": ref("Message")}),
            closed({"type": exactly("content_block_start"), "index": COUNT, "content_block": _BLOCK}),
            closed({"type": exactly("content_block_delta"), "index": COUNT, "delta": _DELTA}),
            closed({"type": exactly("content_block_stop"), "index": COUNT}),
            closed(
                {
                    "type": exactly("message_delta"),
                    "delta": closed({"stop_reason": _STOP, "stop_sequence": {"type": "null"}}),
                    "usage": _USAGE,
                }
            ),
            closed({"type": exactly("message_stop")}),
            closed({"type": exactly("ping")}),
            ref("MessageError"),
        ]
    },
    "MessageError": closed({"type": exactly("error"), "error": closed({"type": TEXT, "message": TEXT})}),
    "TokenCount": closed({"input_tokens": COUNT}),
}
