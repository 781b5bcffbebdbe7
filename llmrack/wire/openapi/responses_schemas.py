"""The JSON Schemas of a response, its items and its events."""

from __future__ import annotations

from .request_schemas import COUNT, FLAG, NUMBER, TEXT, Schema, array, closed, exactly, ref

_NULLABLE_TEXT: Schema = {"type": ["string", "null"]}
_NULLABLE_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}
_NULLABLE_NUMBER: Schema = {"type": ["number", "null"]}
_STATUS = exactly("in_progress", "completed", "incomplete")
_PART = closed(
    {
        "type": exactly("output_text"),
        "text": TEXT,
        "annotations": array({}, maxItems=0),
        "logprobs": array({"type": "object"}),
    }
)
_CALL = {"id": TEXT, "call_id": TEXT, "name": TEXT, "namespace": TEXT, "status": _STATUS}
_FAILURE = closed({"code": TEXT, "message": TEXT})

RESPONSES: dict[str, Schema] = {
    "ResponseItem": {
        "anyOf": [
            closed(
                {
                    "id": TEXT,
                    "type": exactly("message"),
                    "status": _STATUS,
                    "role": exactly("assistant"),
                    "content": array(_PART),
                }
            ),
            closed(
                {
                    "id": TEXT,
                    "type": exactly("reasoning"),
                    "summary": array(closed({"type": exactly("summary_text"), "text": TEXT})),
                    "encrypted_content": TEXT,
                },
                optional=("encrypted_content",),
            ),
            closed({**_CALL, "type": exactly("function_call"), "arguments": TEXT}, optional=("namespace",)),
            closed({**_CALL, "type": exactly("custom_tool_call"), "input": TEXT}, optional=("namespace",)),
        ]
    },
    "ResponseUsage": closed(
        {
            "input_tokens": COUNT,
            "input_tokens_details": closed({"cached_tokens": COUNT}),
            "output_tokens": COUNT,
            "output_tokens_details": closed({"reasoning_tokens": COUNT}),
            "total_tokens": COUNT,
        }
    ),
    "Response": closed(
        {
            "id": TEXT,
            "object": exactly("response"),
            "created_at": COUNT,
            "completed_at": _NULLABLE_COUNT,
            "status": exactly("in_progress", "completed", "incomplete", "failed"),
            "error": {"anyOf": [_FAILURE, {"type": "null"}]},
            "incomplete_details": {"anyOf": [closed({"reason": exactly("max_output_tokens")}), {"type": "null"}]},
            "model": TEXT,
            "output": array(ref("ResponseItem")),
            "instructions": _NULLABLE_TEXT,
            "max_output_tokens": _NULLABLE_COUNT,
            "max_tool_calls": {"type": "null"},
            "parallel_tool_calls": FLAG,
            "previous_response_id": {"type": "null"},
            "reasoning": closed({"effort": _NULLABLE_TEXT, "summary": _NULLABLE_TEXT}),
            "store": FLAG,
            "temperature": _NULLABLE_NUMBER,
            "text": {"type": "object", "required": ["format"]},
            "tool_choice": {},
            "tools": array({"type": "object"}),
            "top_logprobs": COUNT,
            "top_p": _NULLABLE_NUMBER,
            "truncation": exactly("disabled"),
            "background": FLAG,
            "service_tier": TEXT,
            "user": _NULLABLE_TEXT,
            "safety_identifier": {"type": "null"},
            "prompt_cache_key": {"type": "null"},
            "presence_penalty": NUMBER,
            "frequency_penalty": NUMBER,
            "metadata": {"type": "object", "additionalProperties": TEXT},
            "usage": {"anyOf": [ref("ResponseUsage"), {"type": "null"}]},
        }
    ),
    "ResponseEvent": {
        "type": "object",
        "properties": {
            "type": {"type": "string", "pattern": "^(error|response\\.[a-z_.]+)$"},
            "sequence_number": COUNT,
            "response": ref("Response"),
            "item": ref("ResponseItem"),
            "item_id": TEXT,
            "output_index": COUNT,
            "content_index": COUNT,
            "summary_index": COUNT,
            "delta": TEXT,
            "text": TEXT,
            "arguments": TEXT,
            "input": TEXT,
            "name": TEXT,
            "logprobs": array({"type": "object"}),
            "part": {"type": "object"},
            "code": TEXT,
            "message": TEXT,
            "param": _NULLABLE_TEXT,
            "error": {"type": "object"},
        },
        "required": ["type", "sequence_number"],
        "additionalProperties": False,
    },
}
