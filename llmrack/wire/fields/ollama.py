"""The request fields of Ollama's own API. What decides which model is loaded and how is the operator's, so it has no
effect here."""

from __future__ import annotations

from typing import Any

from ...errors import InvalidRequest
from ..json_body import wrong_type
from ..ollama_api import messages
from . import types
from .chat import CHAT, TOOL
from .embeddings import EMBEDDINGS
from .rows import Bad, Field, Good, Rows, rows
from .shared import SEED, TOP_P, sampling, without_effect
from .types import Kind

MOST_STOPS = 16
_LARGEST = 2**31 - 1
# The model server keeps a list of so many tokens for each answer.
_LONGEST_LOOK_BACK = 131_072
_CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_MESSAGES = [{"role": "user", "content": "hi"}]
_CALLED = [
    {"role": "USER", "content": "Weather?"},
    {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]},
    {"role": "tool", "tool_name": "f", "content": "18"},
]


def _num_predict() -> Kind:
    def read(value: Any, param: str) -> int:
        number: int = types.integer(-2).read(value, param)
        if number == 0:
            raise InvalidRequest(f"{param} must be at least 1; -1 is as much as the window leaves.", param=param)
        return number

    return Kind(read, {"type": "integer", "minimum": -2})


def _forwarded(name: str, kind: Kind, notes: str, good: Any, *bad: Any) -> Field:
    return Field(
        name, "yes", kind, notes, (Good(good, {"options": {name: good}}),), tuple(Bad(value) for value in bad), name
    )


OLLAMA_OPTIONS: Rows = rows(
    sampling("temperature", 0, 2, "Forwarded.", 0.7),
    TOP_P,
    _forwarded("top_k", types.integer(-1, _LARGEST), "Forwarded.", 40, -2, "40", 1.5),
    _forwarded("min_p", types.number(0, 1), "Forwarded.", 0.05, -0.1, 1.5, "0"),
    _forwarded("typical_p", types.number(0, 1), "Forwarded.", 0.9, -0.1, 1.5, "0"),
    sampling("presence_penalty", -2, 2, "Forwarded.", 0.5, "0"),
    sampling("frequency_penalty", -2, 2, "Forwarded.", 0.5, "0"),
    _forwarded("repeat_penalty", types.number(0.1, 10), "Forwarded.", 1.1, 0, 11, "1"),
    _forwarded("repeat_last_n", types.integer(-1, _LONGEST_LOOK_BACK), "Forwarded.", 64, -2, 10**9, "64"),
    SEED,
    Field(
        "stop",
        "yes",
        types.stop_strings(MOST_STOPS),
        f"A string, or a list of up to {MOST_STOPS}.",
        (Good(["a", "b"], {"options": {"stop": ["a", "b"]}}), Good([])),
        (Bad(["a"] * (MOST_STOPS + 1)), Bad([1], "=[0]"), Bad(1)),
    ),
    Field(
        "num_predict",
        "yes",
        _num_predict(),
        "The most tokens of an answer. A negative number is as many as the window leaves.",
        (Good(100, {"options": {"num_predict": 100}}), Good(-1), Good(-2)),
        (Bad(0), Bad(-3), Bad("100"), Bad(1.5)),
        default="what the window leaves",
    ),
)


def _format(value: Any, param: str) -> dict[str, Any] | None:
    """As chat's `response_format`. Raises InvalidRequest."""
    if value == "":
        return None
    if value == "json":
        return {"type": "json_object"}
    if isinstance(value, dict):
        return {"type": "json_schema", "json_schema": {"name": "format", "schema": value}}
    if isinstance(value, str):
        raise InvalidRequest(f'{param} must be "json" or a JSON schema.', param=param)
    raise wrong_type(param, '"json" or a JSON schema', value)


def _think(value: Any, param: str) -> bool | str:
    """Raises InvalidRequest."""
    if isinstance(value, bool) or value in ("low", "medium", "high", "max"):
        return value  # type: ignore[no-any-return]
    raise InvalidRequest(f"{param} must be true, false, low, medium, high or max.", param=param)


def _options(value: Any, param: str) -> dict[str, Any]:
    known: dict[str, Any] = types.options(**{name: row.kind for name, row in OLLAMA_OPTIONS.items()}).read(value, param)
    return known


_MODEL = Field(
    "model",
    "required",
    types.text(256),
    "An id from the catalog, or Ollama's name of the model; without a tag that is `:latest`.",
    (Good("phi-3-mini", {"model": "phi3:mini"}), Good("phi3:mini", {"model": "phi3:mini"})),
    (Bad("gpt-4o"), Bad("nomic-embed"), Bad(7), Bad("")),
)
_SHARED = (
    Field(
        "stream",
        "yes",
        types.boolean(),
        "Lines of JSON, the last of which has `done: true`.",
        (Good(True, {"stream": True}), Good(False, {"stream": False})),
        (Bad("true"), Bad(1)),
        default="`true`",
    ),
    Field(
        "format",
        "yes",
        Kind(_format, {"type": ["string", "object"]}),
        '`"json"`, or a JSON schema. The answer is always JSON unless it was cut at its length.',
        (Good("json", {"format": "json"}), Good(_CITY, {"format": _CITY}), Good("")),
        (Bad("xml"), Bad(1), Bad(["json"]), Bad({"type": "nonsense"})),
    ),
    Field(
        "options",
        "yes",
        Kind(_options, {"type": "object"}),
        "Those of sampling and of the answer's length count. `num_ctx` and all others that load a model in another "
        "way have no effect, and `x-llmrack-ignored` names them.",
        (Good({"temperature": 0.5}, {"options": {"temperature": 0.5}}), Good({})),
        (Bad("x"), Bad({"temperature": "hot"}, "options.temperature"), Bad([1])),
    ),
    Field(
        "think",
        "yes",
        Kind(_think, {"type": ["boolean", "string"], "enum": [True, False, "low", "medium", "high", "max"]}),
        "Reasoning comes back as `thinking`. Models without it answer without, and `x-llmrack-ignored` says so.",
        (Good(True), Good(False), Good("low", {"think": "low"}, {"model": "deepseek-r1-8b"})),
        (Bad("yes"), Bad(1)),
        default="the model reasons if it can",
    ),
    CHAT["logprobs"],
    Field(
        "top_logprobs",
        "yes",
        types.integer(0, 20),
        "How many alternatives to list for each token; without `logprobs` it has no effect.",
        (Good(3, {"top_logprobs": 3}, {"logprobs": True}), Good(0)),
        (Bad(21), Bad(-1), Bad("3")),
    ),
)
_KEEP_ALIVE = without_effect("keep_alive", types.anything(), "How long a model stays loaded is the operator's.", "5m")
_WITHOUT_EFFECT = (
    _KEEP_ALIVE,
    without_effect("truncate", types.anything(), "Nothing is ever cut: a prompt that is too long is a 400.", True),
    without_effect("shift", types.anything(), "Nothing is ever cut: an answer ends where the window does.", True),
)

OLLAMA_CHAT: Rows = rows(
    _MODEL,
    Field(
        "messages",
        "required",
        Kind(messages.read, {"type": "array", "items": {"type": "object"}}),
        "Roles `system`, `user`, `assistant`, `tool`; `images` as base64 on models with vision. Without any message "
        "the answer has the `done_reason` `load`.",
        (
            Good(_MESSAGES, {"messages": _MESSAGES}),
            Good(
                _CALLED,
                {
                    "messages": [
                        {"role": "user", "content": "Weather?"},
                        {
                            "role": "assistant",
                            "content": "",
                            "tool_calls": [{"function": {"index": 0, "name": "f", "arguments": {"a": 1}}}],
                        },
                        {"role": "tool", "content": "18", "tool_name": "f"},
                    ]
                },
            ),
        ),
        (
            Bad("hi"),
            Bad(["hi"], "messages[0]"),
            Bad([{"role": "robot", "content": "hi"}], "messages[0].role"),
            Bad([{"role": "user", "content": [{"type": "text", "text": "hi"}]}], "messages[0].content"),
            Bad([{"role": "user", "content": "hi", "images": "x"}], "messages[0].images"),
            Bad([{"role": "user", "content": "hi", "images": ["AA"]}], "messages[0].images[0]"),
            Bad(
                [{"role": "user", "content": "hi", "images": ["AA"]}], "messages[0].images[0]", {"model": "llava-7b"}
            ),
            Bad([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": 1}}]}],
                "messages[0].tool_calls[0].function.arguments"),
        ),
    ),
    Field(
        "tools",
        "yes",
        # Read once, as chat's and within the time that chat gives to schemas.
        Kind(lambda value, param: value, CHAT["tools"].kind.schema),
        "Functions. A model without the tools capability answers without them, and `x-llmrack-ignored` says so.",
        (Good([TOOL], {"tools": [TOOL]}, {"model": "llama-3.1-8b"}), Good([])),
        CHAT["tools"].bad,
    ),
    *_SHARED,
    *_WITHOUT_EFFECT,
)  # fmt: skip

OLLAMA_GENERATE: Rows = rows(
    _MODEL,
    Field(
        "prompt",
        "required",
        types.text(),
        "Empty, the answer has the `done_reason` `load`.",
        (Good("hello"),),
        (Bad(1), Bad(["a"])),
    ),
    Field("system", "yes", types.text(), "The system message.", (Good("Be brief."), Good("")), (Bad(1),)),
    Field(
        "images",
        "yes",
        Kind(lambda value, param: value, {"type": "array", "items": {"type": "string"}}),
        "Base64, on models with vision.",
        (Good([]),),
        (Bad("x"), Bad([1], "images[0]"), Bad(["AA"], "images[0]"), Bad(["AA"], "images[0]", {"model": "llava-7b"})),
    ),
    Field(
        "suffix",
        "yes",
        types.text(),
        "What follows the answer, on models that fill in.",
        (Good("end", {"suffix": "end"}, {"model": "qwen-2.5-coder-7b"}), Good("")),
        (Bad(1), Bad("end")),
    ),
    Field(
        "raw",
        "yes",
        types.boolean(),
        "The prompt goes to the model without its template.",
        (Good(True, {"raw": True, "prompt": "hi"}), Good(False)),
        (Bad("yes"), Bad(True, "system", {"system": "x"})),
        default="`false`",
    ),
    Field(
        "template",
        "no",
        types.refused("template is not supported: the model's own is used. Send raw: true to bring one.", unless=("",)),
        "A 400: send `raw: true` and a prompt that is in the model's form already.",
        (Good(""),),
        (Bad("{{ .Prompt }}"),),
    ),
    *_SHARED,
    without_effect("context", types.anything(), "Send the conversation to `/api/chat`.", [1, 2]),
    *_WITHOUT_EFFECT,
)

_EMBED_MODEL = Field(
    "model",
    "required",
    types.text(256),
    "An embedding model, by its id or Ollama's name.",
    (Good("nomic-embed"), Good("nomic-embed-text", {"model": "nomic-embed-text"})),
    (Bad("phi-3-mini"), Bad("ada"), Bad(7)),
)
_EMBED_OPTIONS = without_effect("options", types.anything(), "All of them are about loading the model.", {"num_ctx": 9})
OLLAMA_EMBED: Rows = rows(
    _EMBED_MODEL,
    Field(
        "input",
        "required",
        EMBEDDINGS["input"].kind,
        "A string, or a list of them. Longer than the model's window is a 400: nothing is cut.",
        EMBEDDINGS["input"].good,
        (Bad([1, 2]), Bad(["a", ""], "input[1]"), Bad(1), Bad(["a", 1], "input[1]")),
    ),
    EMBEDDINGS["dimensions"],
    without_effect("truncate", types.anything(), "Nothing is ever cut: a text that is too long is a 400.", True),
    _KEEP_ALIVE,
    _EMBED_OPTIONS,
)
OLLAMA_EMBEDDINGS: Rows = rows(
    _EMBED_MODEL,
    Field("prompt", "required", types.text(), "One text.", (Good("hello", {"input": ["hello"]}),), (Bad(1), Bad([""]))),
    _KEEP_ALIVE,
    _EMBED_OPTIONS,
)
