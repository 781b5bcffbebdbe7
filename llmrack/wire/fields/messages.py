"""The request fields of POST /v1/messages."""

from __future__ import annotations

from typing import Any

from ..json_body import wrong_type
from . import shared, types
from .rows import Bad, Field, Good, Rows, rows
from .types import Kind

_TURNS = [{"role": "user", "content": "hi"}]
_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_TOOL: dict[str, Any] = {"name": "get_weather", "description": "Weather of a city", "input_schema": _SCHEMA}
_SENT: dict[str, Any] = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather of a city", "parameters": _SCHEMA},
}
_TOOLED = {"model": "llama-3.1-8b", "tools": [_TOOL]}
_CALLED = [
    {"role": "user", "content": "Weather?"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "18"}]},
]


def _system(value: Any, param: str) -> Any:
    if not isinstance(value, str | list):
        raise wrong_type(param, "a string or a list of text blocks", value)
    return value


def _list(value: Any, param: str) -> list[Any]:
    if not isinstance(value, list):
        raise wrong_type(param, "a list", value)
    return value


MESSAGES: Rows = rows(
    Field(
        "model",
        "required",
        types.text(256),
        "An id from the catalog, plain. An unknown one is a 404, because clients repeat a 400.",
        (Good("phi-3-mini", {"model": "phi3:mini"}),),
        (Bad("nomic-embed"), Bad(7)),
    ),
    Field(
        "messages",
        "required",
        Kind(lambda value, param: value, {"type": "array", "minItems": 1, "items": {"type": "object"}}),
        "Roles `user` and `assistant`, and `system` anywhere. Content is a string or blocks: `text`, `image` (base64, "
        "or a URL where the operator allows them), `document` as text, `search_result`, `tool_use`, `tool_result`, "
        "`thinking`. A PDF is a 400.",
        (
            Good(_TURNS, {"messages": _TURNS}),
            Good(
                _CALLED,
                {
                    "messages": [
                        {"role": "user", "content": "Weather?"},
                        {
                            "role": "assistant",
                            "content": "",
                            "tool_calls": [
                                {"id": "toolu_1", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}}
                            ],
                        },
                        {"role": "tool", "content": "18", "tool_name": "f", "tool_call_id": "toolu_1"},
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
        ),
    ),
    Field(
        "max_tokens",
        "required",
        types.integer(0),
        "The most tokens of the answer. More than the model's window or your budget leaves is cut to that.",
        (Good(100, {"options": {"num_predict": 100}}), Good(64000)),
        (Bad(-1), Bad("100")),
    ),
    Field(
        "system",
        "yes",
        Kind(_system, {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]}),
        "A string or text blocks. A line that begins with `x-anthropic-billing-header:` is left out: it differs from "
        "request to request, and the model server could not use its cache.",
        (
            Good("Be brief", {"messages": [{"role": "system", "content": "Be brief"}, *_TURNS]}),
            Good(
                [{"type": "text", "text": "x-anthropic-billing-header: 7"}, {"type": "text", "text": "Be brief"}],
                {"messages": [{"role": "system", "content": "Be brief"}, *_TURNS]},
            ),
        ),
        (Bad(1), Bad([{"type": "image"}], "system[0].type")),
    ),
    shared.STREAM,
    Field(
        "temperature",
        "yes",
        types.number(0, 1),
        "Forwarded to Ollama.",
        (Good(0.7, {"options": {"temperature": 0.7}}),),
        (Bad(1.5), Bad("1")),
        default="the model's own",
    ),
    shared.TOP_P,
    Field(
        "top_k",
        "yes",
        types.integer(1, 1_000_000),
        "Forwarded.",
        (Good(40, {"options": {"top_k": 40}}),),
        (Bad(0), Bad("1")),
        default="the model's own",
    ),
    Field(
        "stop_sequences",
        "yes",
        types.stop_strings(4),
        "Up to 4 strings; blank ones are left out. `stop_sequence` of the answer is null: Ollama does not say which.",
        (Good(["a"], {"options": {"stop": ["a"]}}), Good([" "])),
        (Bad(["a", "b", "c", "d", "e"]), Bad([1], "stop_sequences[0]")),
    ),
    Field(
        "tools",
        "yes",
        Kind(_list, {"type": "array", "maxItems": 128, "items": {"type": "object"}}),
        "Tools with an `input_schema`. Typed tools (bash, web search, ...) are not offered to the model, and listed in "
        "`x-llmrack-ignored`. A tool with `defer_loading` is offered once a `tool_reference` names it.",
        (Good([_TOOL], {"tools": [_SENT]}, {"model": "llama-3.1-8b"}), Good([])),
        (Bad({}), Bad([1], "tools[0]"), Bad([{"name": "no spaces"}], "tools[0].name")),
    ),
    Field(
        "tool_choice",
        "yes",
        types.mapping(),
        "`auto`, `any`, `tool` with a name, or `none`, each enforced; `disable_parallel_tool_use` yields one call.",
        (
            Good({"type": "auto"}, {"tools": [_SENT]}, _TOOLED),
            Good({"type": "none"}, {}, _TOOLED),
            Good({"type": "tool", "name": "get_weather"}, {"tools": [_SENT]}, _TOOLED),
        ),
        (Bad("auto"), Bad({"type": "always"}, "tool_choice.type", _TOOLED)),
        default="`auto`",
    ),
    Field(
        "thinking",
        "yes",
        types.mapping(),
        "`enabled` and `adaptive` make a model with the reasoning capability think, and `thinking` blocks show it; "
        "other models list the field in `x-llmrack-ignored`. The budget has no effect.",
        (Good({"type": "adaptive"}, {"think": True}, {"model": "deepseek-r1-8b"}), Good({"type": "disabled"})),
        (Bad("on"), Bad({"type": "often"}, "thinking.type")),
        default="disabled",
    ),
    Field(
        "output_config",
        "yes",
        types.mapping(),
        "`format` of type `json_schema` is enforced; `effort` says how long a model thinks.",
        (Good({"format": {"type": "json_schema", "schema": _SCHEMA}}, {"format": _SCHEMA}), Good({"effort": "low"})),
        (Bad("json"), Bad({"format": {"type": "xml"}}, "output_config.format.type")),
    ),
    Field(
        "output_format",
        "yes",
        types.mapping(),
        "The older place of `output_config.format`.",
        (Good({"type": "json_schema", "schema": _SCHEMA}, {"format": _SCHEMA}),),
        (Bad("json"), Bad({"type": "xml"}, "output_config.format.type")),
    ),
    Field(
        "metadata",
        "accepted",
        types.mapping(),
        "`user_id` is stored with the usage of the request; it has no effect on the answer.",
        (Good({"user_id": "u-1"}),),
        (Bad("x"),),
    ),
    Field(
        "mcp_servers",
        "no",
        types.refused("mcp_servers is not supported: this server calls no tools by itself.", unless=([],)),
        "A 400: this server calls no tools by itself.",
        (Good([]),),
        (Bad([{"type": "url"}]),),
    ),
    Field(
        "container",
        "no",
        types.refused("container is not supported: this server runs no code."),
        "A 400: this server runs no code.",
        (),
        (Bad("c1"),),
    ),
    shared.without_effect("service_tier", types.anything(), "There is one tier.", "auto"),
    shared.without_effect("context_management", types.anything(), "Nothing is cut from a conversation here.", {}),
)
