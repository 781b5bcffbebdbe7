"""The request fields of POST /v1/chat/completions."""

from __future__ import annotations

from typing import Any

from ..chat import response_format, tools
from . import shared, types
from .rows import Bad, Field, Good, Rows, rows
from .types import Kind

_MESSAGES = [{"role": "user", "content": "hi"}]
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get current weather for a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
_TOOLS = {"tools": [TOOL]}
_TOOLED = {"model": "llama-3.1-8b", **_TOOLS}
_CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


CHAT: Rows = rows(
    shared.MODEL,
    Field(
        "messages",
        "required",
        Kind(
            lambda value, param: value,
            {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/ChatMessage"}},
        ),
        "Roles `system` (also as `developer`), `user`, `assistant`, `tool`. Content is a string or an array of parts: "
        "text, and `image_url` with a data URI on models with the vision capability.",
        (
            Good(_MESSAGES, {"messages": _MESSAGES}),
            Good(
                [{"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
                {"messages": [{"role": "system", "content": "a\nb"}]},
            ),
            Good(
                [
                    {"role": "user", "content": "Weather?", "name": "ann"},
                    {
                        "role": "assistant",
                        "content": None,
                        "refusal": None,
                        "tool_calls": [
                            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
                        ],
                    },
                    {"role": "tool", "tool_call_id": "c1", "content": "18"},
                ],
                {
                    "messages": [
                        {"role": "user", "content": "Weather?"},
                        {
                            "role": "assistant",
                            "content": "",
                            "tool_calls": [{"id": "c1", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}}],
                        },
                        {"role": "tool", "content": "18", "tool_name": "f", "tool_call_id": "c1"},
                    ]
                },
            ),
        ),
        (
            Bad([]),
            Bad("hi"),
            Bad(["hi"], "messages[0]"),
            Bad([{"role": "robot", "content": "hi"}], "messages[0].role"),
            Bad([{"role": "user"}], "messages[0].content"),
            Bad([{"role": "user", "content": 1}], "messages[0].content"),
            Bad([{"role": "user", "content": [{"type": "video"}]}], "messages[0].content[0].type"),
            Bad([{"role": "user", "content": [{"type": "text", "text": 1}]}], "messages[0].content[0].text"),
            Bad(
                [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}],
                    }
                ],
                "messages[0].content[0]",
            ),
            Bad(
                [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}],
                "messages[0].tool_calls[0].function.arguments",
            ),
        ),
    ),
    shared.STREAM,
    shared.STREAM_OPTIONS,
    *shared.SHARED[:2],
    shared.max_tokens("max_tokens", shared.MAX_TOKENS_NOTES),
    shared.max_tokens("max_completion_tokens", "The newer name of `max_tokens`. With both, the smaller one counts."),
    shared.STOP,
    *shared.SHARED[2:],
    shared.SEED,
    Field(
        "tools",
        "yes",
        Kind(tools.read, {"type": "array", "maxItems": 128, "items": {"$ref": "#/components/schemas/Tool"}}),
        "Functions, forwarded to Ollama. A model without the tools capability answers without them, and the response "
        "header `x-llmrack-ignored` says so. `strict` holds the arguments to their schema where `tool_choice` forces "
        "the call.",
        (
            Good([TOOL], {"tools": [TOOL]}, {"model": "llama-3.1-8b"}),
            Good([TOOL], {}),
            Good([]),
            Good([{"type": "function", "function": {"name": "now"}}], {}, {"model": "llama-3.1-8b"}),
        ),
        (
            Bad({}),
            Bad([{"type": "web_search"}], "tools[0].type"),
            Bad([{"type": "function"}], "tools[0].function"),
            Bad([{"type": "function", "function": {"name": "no spaces"}}], "tools[0].function.name"),
            Bad(
                [{"type": "function", "function": {"name": "f", "parameters": {"$ref": "http://x/y"}}}],
                "tools[0].function.parameters",
            ),
        ),
    ),
    Field(
        "tool_choice",
        "yes",
        Kind(tools.read_choice, {"$ref": "#/components/schemas/ToolChoice"}),
        '`"none"`, `"auto"`, `"required"`, or one function by name. The last two are enforced: the model can only '
        "write such a call.",
        (
            Good("auto", {"tools": [TOOL]}, _TOOLED),
            Good("none", {}, _TOOLED),
            Good("required", {"tools": [TOOL]}, _TOOLED),
            Good({"type": "function", "function": {"name": "get_weather"}}, {"tools": [TOOL]}, _TOOLED),
        ),
        (
            Bad("always", beside=_TOOLED),
            Bad("required"),
            Bad({"type": "function", "function": {"name": "other"}}, beside=_TOOLED),
            Bad(1),
        ),
        default='`"auto"`',
    ),
    Field(
        "parallel_tool_calls",
        "yes",
        types.boolean(),
        "`false` yields at most one call.",
        (Good(False, beside=_TOOLED), Good(True)),
        (Bad("no"),),
        default="`true`",
    ),
    Field(
        "response_format",
        "yes",
        Kind(response_format.read, {"$ref": "#/components/schemas/ResponseFormat"}),
        '`{type: "json_object"}` becomes Ollama\'s `format: "json"`; `{type: "json_schema"}` its schema-constrained '
        "decoding. The answer is always JSON unless it was cut at its length; with `strict: true` it also validates "
        "against your schema. One that does not is asked for once more, then it is a 502, in a stream an error chunk.",
        (
            Good({"type": "text"}),
            Good({"type": "json_object"}, {"format": "json"}),
            Good(
                {"type": "json_schema", "json_schema": {"name": "city", "schema": _CITY, "strict": True}},
                {"format": _CITY},
            ),
        ),
        (
            Bad("json"),
            Bad({"type": "xml"}, "response_format.type"),
            Bad({"type": "json_schema"}, "response_format.json_schema"),
            Bad({"type": "json_schema", "json_schema": {"name": "a"}}, "response_format.json_schema.schema"),
            Bad(
                {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "nonsense"}}},
                "response_format.json_schema.schema",
            ),
        ),
        default="text",
    ),
    Field(
        "reasoning_effort",
        "yes",
        types.one_of("none", "minimal", "low", "medium", "high", "xhigh", "max"),
        "Becomes Ollama's `think` on models with the reasoning capability; the reasoning comes back as "
        "`reasoning_content`. Other models ignore it, and `x-llmrack-ignored` says so.",
        (Good("low"), Good("none")),
        (Bad("extreme"), Bad(1)),
        default="the model reasons if it can",
    ),
    Field(
        "logprobs",
        "yes",
        types.boolean(),
        "Log-probabilities of the answer's tokens; needs Ollama 0.12.11 or later on the server.",
        (Good(True, {"logprobs": True}), Good(False)),
        (Bad(1), Bad("true")),
        default="`false`",
    ),
    Field(
        "top_logprobs",
        "yes",
        types.integer(0, 20),
        "How many alternatives to list for each token; goes with `logprobs: true`.",
        (Good(3, {"top_logprobs": 3}, {"logprobs": True}), Good(0)),
        (Bad(21), Bad(-1), Bad(3), Bad("3")),
        default="0",
    ),
    shared.N,
    shared.LOGIT_BIAS,
    Field(
        "functions",
        "no",
        types.refused("functions was replaced by tools; send tools.", unless=([],)),
        "A 400: send `tools`.",
        (Good([]),),
        (Bad([{"name": "f"}]),),
    ),
    Field(
        "function_call",
        "no",
        types.refused("function_call was replaced by tool_choice; send tool_choice.", unless=("auto", "none")),
        "A 400: send `tool_choice`.",
        (Good("none"),),
        (Bad({"name": "f"}),),
    ),
    Field(
        "modalities",
        "no",
        types.refused('Only text can be produced: modalities may be ["text"].', unless=(["text"],)),
        'Text only: anything but `["text"]` is a 400.',
        (Good(["text"]),),
        (Bad(["text", "audio"]),),
    ),
    Field(
        "audio",
        "no",
        types.refused("audio is not supported: only text can be produced."),
        "A 400: only text can be produced.",
        (),
        (Bad({"voice": "alloy", "format": "mp3"}),),
    ),
    Field(
        "web_search_options",
        "no",
        types.refused("web_search_options is not supported: the models do not search the web."),
        "A 400: the models do not search the web.",
        (),
        (Bad({}),),
    ),
    shared.USER,
    shared.without_effect("metadata", types.mapping(), "Kept nowhere.", {"run": "7"}, (Bad("x"),)),
    shared.without_effect("store", types.boolean(), "Answers are never stored.", True, (Bad("x"),)),
    shared.without_effect("service_tier", types.anything(), "There is one tier.", "auto"),
    shared.without_effect("prompt_cache_key", types.anything(), "Ollama reuses prompts by itself.", "k"),
    shared.without_effect(
        "prompt_cache_retention", types.anything(), "Ollama decides how long it keeps a prompt.", "24h"
    ),
    shared.without_effect("safety_identifier", types.anything(), "Kept nowhere; `user` is.", "s"),
    shared.without_effect("verbosity", types.anything(), "Ask for it in the prompt.", "low"),
    shared.without_effect(
        "prediction", types.anything(), "Neither the answer nor its speed changes.", {"type": "content"}
    ),
)
