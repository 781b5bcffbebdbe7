"""The JSON Schemas of every answer.

They are closed: a key that is not written here is a mistake on one side, and the contract tests find it.
"""

from __future__ import annotations

from ..fields.types import nullable
from .request_schemas import COUNT, FLAG, NOTHING, NUMBER, TEXT, Schema, array, closed, exactly, ref

_ENTRY = {"token": TEXT, "logprob": NUMBER, "bytes": array({"type": "integer", "minimum": 0, "maximum": 255})}
_CHAT_LOGPROBS = closed({"content": array(closed({**_ENTRY, "top_logprobs": array(closed(_ENTRY))}))})
_CALL = {
    "id": TEXT,
    "type": exactly("function"),
    "function": closed({"name": TEXT, "arguments": {**TEXT, "contentMediaType": "application/json"}}),
}
_FINISH = exactly("stop", "length", "tool_calls")
_ERROR_BODY = closed({"message": TEXT, "type": TEXT, "param": {"type": ["string", "null"]}, "code": TEXT})
_HEAD = {"id": TEXT, "object": TEXT, "created": COUNT, "model": TEXT}


def _head(kind: str) -> dict[str, Schema]:
    return {**_HEAD, "object": exactly(kind)}


_TEXT_CHOICE = {
    "index": COUNT,
    "text": TEXT,
    "logprobs": {
        "anyOf": [
            closed(
                {
                    "tokens": array(TEXT),
                    "token_logprobs": array(NUMBER),
                    "top_logprobs": array({"type": ["object", "null"], "additionalProperties": NUMBER}),
                    "text_offset": array(COUNT),
                }
            ),
            NOTHING,
        ]
    },
}

ANSWERS: dict[str, Schema] = {
    "Error": closed({"error": _ERROR_BODY}),
    "Usage": closed(
        {
            "prompt_tokens": COUNT,
            "completion_tokens": COUNT,
            "total_tokens": COUNT,
            "prompt_tokens_details": closed({"cached_tokens": COUNT}),
        },
        optional=("prompt_tokens_details",),
    ),
    "ChatCompletion": closed(
        {
            **_head("chat.completion"),
            "choices": array(
                closed(
                    {
                        "index": COUNT,
                        "message": closed(
                            {
                                "role": exactly("assistant"),
                                "content": TEXT,
                                "reasoning_content": TEXT,
                                "tool_calls": array(closed(_CALL)),
                            },
                            optional=("reasoning_content", "tool_calls"),
                        ),
                        "logprobs": _CHAT_LOGPROBS,
                        "finish_reason": _FINISH,
                    },
                    optional=("logprobs",),
                )
            ),
            "usage": ref("Usage"),
        }
    ),
    "ChatCompletionChunk": closed(
        {
            **_head("chat.completion.chunk"),
            "choices": array(
                closed(
                    {
                        "index": COUNT,
                        "delta": closed(
                            {
                                "role": exactly("assistant"),
                                "content": TEXT,
                                "reasoning_content": TEXT,
                                "tool_calls": array(closed({"index": COUNT, **_CALL})),
                            },
                            optional=("role", "content", "reasoning_content", "tool_calls"),
                        ),
                        "logprobs": {"anyOf": [_CHAT_LOGPROBS, NOTHING]},
                        "finish_reason": {"anyOf": [exactly("stop", "length", "tool_calls", "error"), NOTHING]},
                    },
                    optional=("logprobs",),
                )
            ),
            "usage": ref("Usage"),
            "error": _ERROR_BODY,
        },
        optional=("usage", "error"),
    ),
    "Completion": closed(
        {
            **_head("text_completion"),
            "choices": array(closed({**_TEXT_CHOICE, "finish_reason": exactly("stop", "length")})),
            "usage": ref("Usage"),
        }
    ),
    "CompletionChunk": closed(
        {
            **_head("text_completion"),
            "choices": array(
                closed(
                    {
                        **_TEXT_CHOICE,
                        "finish_reason": {"anyOf": [exactly("stop", "length", "error"), NOTHING]},
                    }
                )
            ),
            "usage": ref("Usage"),
            "error": _ERROR_BODY,
        },
        optional=("usage", "error"),
    ),
    "Embeddings": closed(
        {
            "object": exactly("list"),
            "data": array(
                closed(
                    {
                        "object": exactly("embedding"),
                        "index": COUNT,
                        "embedding": {"anyOf": [array(NUMBER), {**TEXT, "contentEncoding": "base64"}]},
                    }
                )
            ),
            "model": TEXT,
            "usage": closed({"prompt_tokens": COUNT, "total_tokens": COUNT}),
        }
    ),
    "Model": closed(
        {
            **dict.fromkeys(("id", "name", "description", "family", "parameters", "quantization", "category"), TEXT),
            "object": exactly("model"),
            "created": COUNT,
            "owned_by": TEXT,
            "capabilities": array(TEXT),
            "context_length": {**COUNT, "description": "The window in force: prompt and answer together."},
            "context_window": {**COUNT, "description": "What the model was built for."},
            "max_output_tokens": COUNT,
            "dimensions": nullable(COUNT),
            "pricing": closed(
                {
                    "currency": exactly("USD"),
                    "input_per_million": TEXT,
                    "output_per_million": TEXT,
                    "input_nanousd_per_token": COUNT,
                    "output_nanousd_per_token": COUNT,
                }
            ),
        }
    ),
    "ModelList": closed(
        {"object": exactly("list"), "data": array(ref("Model")), "models": array({"type": "object"})},
        optional=("models",),
    ),
}

_COST: dict[str, Schema] = {"cost_nanousd": COUNT, "cost_usd": TEXT}
_AMOUNTS: dict[str, Schema] = {
    **dict.fromkeys(("requests", "prompt_tokens", "completion_tokens", "total_tokens"), COUNT),
    **_COST,
}
_KEY = closed({"id": COUNT, "name": TEXT})

ACCOUNT: dict[str, Schema] = {
    "AccountUsage": closed(
        {
            "object": exactly("usage"),
            "mode": exactly("live", "test"),
            "plan": TEXT,
            "from": {**TEXT, "format": "date"},
            "to": {**TEXT, "format": "date"},
            "total": closed(_AMOUNTS),
            "limits": array(
                closed(
                    {
                        "name": TEXT,
                        "scope": exactly("account", "member", "project", "key"),
                        "limit": COUNT,
                        "remaining": COUNT,
                        "reset_s": COUNT,
                    }
                )
            ),
            "credits": {
                "anyOf": [
                    closed(
                        {
                            "remaining_nanousd": {"type": "integer"},
                            "remaining_usd": TEXT,
                            "held_nanousd": COUNT,
                            "held_usd": TEXT,
                        }
                    ),
                    NOTHING,
                ]
            },
            "data": array(closed({"day": {**TEXT, "format": "date"}, "model": TEXT, "key": _KEY, **_AMOUNTS})),
        }
    ),
    "Receipt": closed(
        {
            "id": TEXT,
            "object": exactly("request"),
            "created": COUNT,
            "mode": exactly("live", "test"),
            "model": TEXT,
            "endpoint": TEXT,
            "stream": FLAG,
            "user": nullable(TEXT),
            "key": _KEY,
            "state": exactly("settled", "open"),
            "outcome": nullable(TEXT),
            "meaning": nullable(TEXT),
            "usage": closed(
                dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens"), COUNT)
            ),
            "times_ms": closed(
                dict.fromkeys(("queue", "load", "prompt", "generation", "first_token", "total"), NUMBER)
            ),
            "charge": closed({"prompt_tokens": COUNT, "completion_tokens": COUNT, **_COST, "why": TEXT}),
        }
    ),
}
