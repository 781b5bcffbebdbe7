"""The request fields of POST /v1/responses."""

from __future__ import annotations

from typing import Any

from ...errors import InvalidRequest
from ..json_body import wrong_type
from . import shared, types
from .rows import Bad, Field, Good, Rows, rows
from .types import Kind

_CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "Get current weather for a city",
    "parameters": _CITY,
}
_TOOLED = {"model": "llama-3.1-8b", "tools": [FUNCTION]}
_SENT = {"type": "function", "function": {k: v for k, v in FUNCTION.items() if k != "type"}}
_PATCH = {"type": "custom", "name": "patch", "description": "Change files."}


def _metadata(value: Any, param: str) -> dict[str, str]:
    given: dict[str, str] = types.mapping().read(value, param)
    if len(given) > 16:
        raise InvalidRequest(f"{param} takes at most 16 pairs.", param=param)
    for name, text in given.items():
        if len(name) > 64:
            raise InvalidRequest(f"A name in {param} has at most 64 characters.", param=param)
        types.text(512).read(text, f"{param}.{name[:64]}")
    return given


def _strings(value: Any, param: str) -> list[str]:
    if not isinstance(value, list):
        raise wrong_type(param, "an array of strings", value)
    return [types.text().read(item, f"{param}[{index}]") for index, item in enumerate(value)]


def _refused(name: str, sentence: str, bad: Any, *, good: Any = None) -> Field:
    kind = types.refused(sentence, unless=() if good is None else (good,))
    return Field(name, "no", kind, f"A 400. {sentence}", () if good is None else (Good(good),), (Bad(bad),))


def _any(schema: dict[str, Any]) -> Kind:
    """Read where the other fields are known."""
    return Kind(lambda value, param: value, schema)


RESPONSES: Rows = rows(
    shared.MODEL,
    Field(
        "input",
        "required",
        _any({"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "object"}}]}),
        "A string, or items: `message` (roles `user`, `assistant`, `system`, `developer`; parts `input_text`, "
        "`output_text`, `input_image` with a data URI), `function_call`, `custom_tool_call` and their `_output`, "
        "`reasoning`, shell and patch calls. Items of tools that run at OpenAI are left out and listed.",
        (
            Good("hi", {"messages": [{"role": "user", "content": "hi"}]}),
            Good([{"role": "user", "content": "hi"}], {"messages": [{"role": "user", "content": "hi"}]}),
            Good(
                [
                    {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "a"}]},
                    {"role": "user", "content": "Weather?"},
                    {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1}'},
                    {"type": "function_call_output", "call_id": "c1", "output": "18"},
                ],
                {
                    "messages": [
                        {"role": "system", "content": "a"},
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
            Bad(7),
            Bad(["hi"], "input[0]"),
            Bad([{"role": "robot", "content": "hi"}], "input[0].role"),
            Bad([{"role": "user"}], "input[0].content"),
            Bad([{"role": "user", "content": [{"type": "video"}]}], "input[0].content[0].type"),
            Bad([{"type": "song"}], "input[0].type"),
            Bad([{"type": "item_reference", "id": "msg_1"}], "input[0]"),
            Bad([{"type": "function_call_output", "call_id": "c9", "output": ""}], "input[0].call_id"),
        ),
    ),
    Field(
        "instructions",
        "yes",
        types.text(),
        "System text before everything else.",
        (
            Good(
                "Be brief.",
                {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]},
            ),
        ),
        (Bad(7), Bad([])),
    ),
    Field(
        "stream",
        "yes",
        types.boolean(),
        "Server-Sent Events with names and numbers, from `response.created` to `response.completed`.",
        (Good(True, {"stream": True}), Good(False, {"stream": False})),
        (Bad("true"), Bad(1)),
        default="`false`",
    ),
    Field(
        "stream_options",
        "accepted",
        types.options(include_obfuscation=types.boolean()),
        "Events are never padded.",
        (Good({"include_obfuscation": False}), Good({})),
        (Bad("usage"), Bad({"include_obfuscation": "yes"}, "stream_options.include_obfuscation")),
    ),
    shared.max_tokens("max_output_tokens", shared.MAX_TOKENS_NOTES),
    *shared.SHARED,
    Field(
        "tools",
        "yes",
        _any({"type": "array", "maxItems": 128, "items": {"type": "object"}}),
        "`function`; `custom`, whose grammar is told to the model and not enforced; `namespace` of both. Other kinds "
        "are not offered to the model, and `x-llmrack-ignored` lists them.",
        (
            Good([FUNCTION], {"tools": [_SENT]}, {"model": "llama-3.1-8b"}),
            Good([]),
            Good(
                [{"type": "namespace", "name": "a", "tools": [{"type": "function", "name": "f"}]}],
                {},
                {"model": "llama-3.1-8b"},
            ),
            Good([_PATCH], {}, {"model": "llama-3.1-8b"}),
        ),
        (
            Bad({}),
            Bad(["f"], "tools[0]"),
            Bad([{"name": "f"}], "tools[0].type"),
            Bad([{"type": "function", "name": "no spaces"}], "tools[0].name"),
            Bad([{"type": "function", "name": "f", "parameters": {"$ref": "http://x/y"}}], "tools[0].parameters"),
            Bad([{"type": "namespace", "name": "a"}], "tools[0].tools"),
        ),
    ),
    Field(
        "tool_choice",
        "yes",
        _any({"anyOf": [{"type": "string", "enum": ["none", "auto", "required"]}, {"type": "object"}]}),
        '`"none"`, `"auto"`, `"required"`, one function or custom tool by name, or `allowed_tools`. A call that is '
        "asked for is enforced: the model can only write such a call.",
        (
            Good("auto", {"tools": [_SENT]}, _TOOLED),
            Good("none", {}, _TOOLED),
            Good("required", {"tools": [_SENT]}, _TOOLED),
            Good({"type": "function", "name": "get_weather"}, {"tools": [_SENT]}, _TOOLED),
            Good(
                {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "get_weather"}]},
                {"tools": [_SENT]},
                _TOOLED,
            ),
        ),
        (
            Bad("always", beside=_TOOLED),
            Bad("required"),
            Bad({"type": "function", "name": "other"}, beside=_TOOLED),
            Bad({"type": "web_search"}, beside=_TOOLED),
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
        "text",
        "yes",
        types.mapping(),
        "`format`: `text`, `json_object`, or `json_schema` with `name`, `schema` and `strict`, enforced as on chat "
        "completions. `verbosity` has no effect.",
        (
            Good({}),
            Good({"format": {"type": "text"}}),
            Good({"format": {"type": "json_object"}}, {"format": "json"}),
            Good(
                {"format": {"type": "json_schema", "name": "city", "schema": _CITY, "strict": True}},
                {"format": _CITY},
            ),
        ),
        (
            Bad("json"),
            Bad({"format": "json"}, "text.format"),
            Bad({"format": {"type": "xml"}}, "text.format.type"),
            Bad({"format": {"type": "json_schema", "name": "a"}}, "text.format.schema"),
            Bad({"format": {"type": "json_schema", "schema": {"type": "nonsense"}}}, "text.format.schema"),
        ),
        default="text",
    ),
    Field(
        "reasoning",
        "yes",
        types.options(
            effort=types.one_of("none", "minimal", "low", "medium", "high", "xhigh", "max"),
            summary=types.text(64),
            generate_summary=types.text(64),
        ),
        "`effort` becomes Ollama's `think` on models with the reasoning capability. Their reasoning comes back as the "
        "summary of a `reasoning` item, whatever `summary` says.",
        (Good({"effort": "low", "summary": "auto"}), Good({"effort": "none"}), Good({"effort": None})),
        (Bad("low"), Bad({"effort": "extreme"}, "reasoning.effort"), Bad({"summary": 1}, "reasoning.summary")),
        default="the model reasons if it can",
    ),
    Field(
        "include",
        "yes",
        Kind(_strings, {"type": "array", "items": {"type": "string"}}),
        "`reasoning.encrypted_content` makes reasoning travel through the client; `message.output_text.logprobs` adds "
        "log-probabilities. Others have no effect, and are listed.",
        (
            Good(["message.output_text.logprobs"], {"logprobs": True}),
            Good(["reasoning.encrypted_content"]),
            Good([]),
        ),
        (Bad("x"), Bad([1], "include[0]")),
        default="nothing",
    ),
    Field(
        "top_logprobs",
        "yes",
        types.integer(0, 20),
        "How many alternatives to list for each token; above 0 it asks for log-probabilities by itself.",
        (Good(3, {"logprobs": True, "top_logprobs": 3}), Good(0)),
        (Bad(21), Bad(-1), Bad("3")),
        default="0",
    ),
    Field(
        "metadata",
        "accepted",
        Kind(_metadata, {"type": "object", "maxProperties": 16}),
        "Comes back in the answer: up to 16 pairs, names of 64 and values of 512 characters.",
        (Good({"run": "7"}), Good({})),
        (Bad("x"), Bad({"run": 7}, "metadata.run"), Bad({"x" * 65: ""}), Bad({str(n): "" for n in range(17)})),
    ),
    shared.USER,
    shared.without_effect(
        "store",
        types.boolean(),
        "Answers are not stored, and say `store: false`; `false` is honoured, so it is not listed.",
        True,
        (Bad("x"),),
    ),
    shared.without_effect(
        "truncation",
        types.one_of("auto", "disabled"),
        "Nothing is ever cut, which is what `disabled` asks for.",
        "auto",
        (Bad("middle"),),
    ),
    _refused(
        "previous_response_id",
        "Answers are not stored here, so none can be continued by its id. Send the items of the conversation"
        " themselves in input, and store: false.",
        "resp_1",
    ),
    _refused(
        "conversation",
        "Conversations are not stored here. Send the items of the conversation themselves in input.",
        "conv_1",
        good=False,
    ),
    _refused("prompt", "Prompts are not stored here. Send the text in instructions and input.", {"id": "pmpt_1"}),
    _refused("background", "Answers are not made in the background. Use stream: true instead.", True, good=False),
    shared.without_effect("max_tool_calls", types.anything(), "It bounds tools that run at OpenAI only.", 3),
    shared.without_effect("service_tier", types.anything(), "There is one tier.", "auto"),
    shared.without_effect("prompt_cache_key", types.anything(), "Ollama reuses prompts by itself.", "k"),
    shared.without_effect(
        "prompt_cache_retention", types.anything(), "Ollama decides how long it keeps a prompt.", "24h"
    ),
    shared.without_effect("safety_identifier", types.anything(), "Kept nowhere; `user` is.", "s"),
    shared.without_effect("client_metadata", types.anything(), "Kept nowhere.", {"a": "b"}),
)
