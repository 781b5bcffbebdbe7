"""The request fields of every endpoint. These rows check requests, fill the documentation's tables and
`openapi.json`, and carry the examples that the contract tests replay."""

from __future__ import annotations

from typing import Any

from . import kinds, responseformat, tools
from .kinds import Kind
from .rows import Bad, Field, Good, Rows, rows

MAX_INPUTS = 2048
MAX_PROMPTS = 32

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


def _sampling(name: str, low: float, high: float, notes: str, good: float, default: str = "") -> Field:
    return Field(
        name,
        "yes",
        kinds.number(low, high),
        notes,
        (Good(good, {"options": {name: good}}), Good(low, {"options": {name: low}}), Good(high)),
        (Bad(high + 0.5), Bad(low - 0.5), Bad("1"), Bad(True)),
        option=name,
        default=default or "the model's own",
    )


def _accepted(name: str, kind: Kind, notes: str, good: Any, bad: tuple[Bad, ...] = ()) -> Field:
    return Field(name, "accepted", kind, notes, (Good(good),), bad)


_MODEL = Field(
    "model",
    "required",
    kinds.text(256),
    "An id from the catalog, plain: no `openai/` prefix.",
    (Good("phi-3-mini", {"model": "phi3:mini"}),),
    (Bad("gpt-4o"), Bad("openai/phi-3-mini"), Bad("nomic-embed"), Bad(7)),
)
_STREAM = Field(
    "stream",
    "yes",
    kinds.boolean(),
    "Server-Sent Events, terminated by `data: [DONE]`.",
    (Good(True, {"stream": True}), Good(False, {"stream": False})),
    (Bad("true"), Bad(1)),
    default="`false`",
)
_STREAM_OPTIONS = Field(
    "stream_options",
    "yes",
    kinds.options(include_usage=kinds.boolean()),
    "`{include_usage: true}` adds one chunk with empty `choices` and the `usage` before `[DONE]`.",
    (Good({"include_usage": True}, beside={"stream": True}), Good({})),
    (Bad("usage"), Bad({"include_usage": "yes"}, "stream_options.include_usage")),
    default="no usage chunk",
)
_STOP = Field(
    "stop",
    "yes",
    kinds.stop_strings(4),
    "A string, or a list of up to 4.",
    (Good("\n", {"options": {"stop": ["\n"]}}), Good(["a", "b"], {"options": {"stop": ["a", "b"]}}), Good([])),
    (Bad(["a", "b", "c", "d", "e"]), Bad([1], "stop[0]"), Bad(1)),
)
_SEED = Field(
    "seed",
    "yes",
    kinds.integer(-(2**63), 2**63 - 1),
    "Forwarded. The same seed, request and model give the same answer on the same machine, as far as Ollama can.",
    (Good(7, {"options": {"seed": 7}}), Good(0, {"options": {"seed": 0}}), Good(-1)),
    (Bad("7"), Bad(1.5), Bad(2**63)),
)
_USER = _accepted(
    "user",
    kinds.text(512),
    "Stored with the usage of the request; has no effect on the answer.",
    "user-1234",
    (Bad(1), Bad("x" * 513)),
)
_N_SENTENCE = "n > 1 is not supported; call the endpoint multiple times"
_N = Field(
    "n",
    "1 only",
    kinds.only_one(_N_SENTENCE),
    "`n > 1` is a 400. Call the endpoint multiple times.",
    (Good(1),),
    (Bad(2, None), Bad(0), Bad("1")),
    default="1",
)
_LOGIT_BIAS = Field(
    "logit_bias",
    "no",
    kinds.refused("logit_bias is not supported: the model server has no such setting.", unless=({},)),
    "A 400: Ollama has no such setting. An empty object is let through.",
    (Good({}),),
    (Bad({"50256": -100}),),
)
_SHARED = (
    _sampling("temperature", 0, 2, "Forwarded to Ollama.", 0.7),
    _sampling("top_p", 0, 1, "Forwarded.", 0.9),
    _sampling("presence_penalty", -2, 2, "Forwarded; not all model families honour it.", 0.5, "0"),
    _sampling("frequency_penalty", -2, 2, "Forwarded; not all model families honour it.", 0.5, "0"),
)
_MAX_TOKENS_NOTES = "Becomes Ollama's `num_predict`. More than the model's window or your budget leaves is cut to that."


def _max_tokens(name: str, notes: str) -> Field:
    return Field(
        name,
        "yes",
        kinds.integer(1),
        notes,
        (Good(100, {"options": {"num_predict": 100}}), Good(1), Good(65536)),
        (Bad(0), Bad(-1), Bad("100"), Bad(1.5)),
        default="what the window leaves",
    )


CHAT: Rows = rows(
    _MODEL,
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
    _STREAM,
    _STREAM_OPTIONS,
    *_SHARED[:2],
    _max_tokens("max_tokens", _MAX_TOKENS_NOTES),
    _max_tokens("max_completion_tokens", "The newer name of `max_tokens`. With both, the smaller one counts."),
    _STOP,
    *_SHARED[2:],
    _SEED,
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
        kinds.boolean(),
        "`false` yields at most one call.",
        (Good(False, beside=_TOOLED), Good(True)),
        (Bad("no"),),
        default="`true`",
    ),
    Field(
        "response_format",
        "yes",
        Kind(responseformat.read, {"$ref": "#/components/schemas/ResponseFormat"}),
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
        kinds.one_of("none", "minimal", "low", "medium", "high", "xhigh", "max"),
        "Becomes Ollama's `think` on models with the reasoning capability; the reasoning comes back as "
        "`reasoning_content`. Other models ignore it, and `x-llmrack-ignored` says so.",
        (Good("low"), Good("none")),
        (Bad("extreme"), Bad(1)),
        default="the model reasons if it can",
    ),
    Field(
        "logprobs",
        "yes",
        kinds.boolean(),
        "Log-probabilities of the answer's tokens; needs Ollama 0.12.11 or later on the server.",
        (Good(True, {"logprobs": True}), Good(False)),
        (Bad(1), Bad("true")),
        default="`false`",
    ),
    Field(
        "top_logprobs",
        "yes",
        kinds.integer(0, 20),
        "How many alternatives to list for each token; goes with `logprobs: true`.",
        (Good(3, {"top_logprobs": 3}, {"logprobs": True}), Good(0)),
        (Bad(21), Bad(-1), Bad(3), Bad("3")),
        default="0",
    ),
    _N,
    _LOGIT_BIAS,
    Field(
        "functions",
        "no",
        kinds.refused("functions was replaced by tools; send tools.", unless=([],)),
        "A 400: send `tools`.",
        (Good([]),),
        (Bad([{"name": "f"}]),),
    ),
    Field(
        "function_call",
        "no",
        kinds.refused("function_call was replaced by tool_choice; send tool_choice.", unless=("auto", "none")),
        "A 400: send `tool_choice`.",
        (Good("none"),),
        (Bad({"name": "f"}),),
    ),
    Field(
        "modalities",
        "no",
        kinds.refused('Only text can be produced: modalities may be ["text"].', unless=(["text"],)),
        'Text only: anything but `["text"]` is a 400.',
        (Good(["text"]),),
        (Bad(["text", "audio"]),),
    ),
    Field(
        "audio",
        "no",
        kinds.refused("audio is not supported: only text can be produced."),
        "A 400: only text can be produced.",
        (),
        (Bad({"voice": "alloy", "format": "mp3"}),),
    ),
    Field(
        "web_search_options",
        "no",
        kinds.refused("web_search_options is not supported: the models do not search the web."),
        "A 400: the models do not search the web.",
        (),
        (Bad({}),),
    ),
    _USER,
    _accepted("metadata", kinds.mapping(), "No effect.", {"run": "7"}, (Bad("x"),)),
    _accepted("store", kinds.boolean(), "No effect: answers are never stored.", True, (Bad("x"),)),
    _accepted("service_tier", kinds.anything(), "No effect: there is one tier.", "auto"),
    _accepted("prompt_cache_key", kinds.anything(), "No effect: Ollama reuses prompts by itself.", "k"),
    _accepted("prompt_cache_retention", kinds.anything(), "No effect.", "24h"),
    _accepted("safety_identifier", kinds.anything(), "No effect.", "s"),
    _accepted("verbosity", kinds.anything(), "No effect: ask for it in the prompt.", "low"),
    _accepted("prediction", kinds.anything(), "No effect on the answer, nor on its speed.", {"type": "content"}),
)

COMPLETIONS: Rows = rows(
    _MODEL,
    Field(
        "prompt",
        "required",
        kinds.texts(
            MAX_PROMPTS,
            "prompt as token ids is not supported: every model has its own vocabulary. Send text.",
        ),
        f"A string, or up to {MAX_PROMPTS} of them for as many choices. Token ids are a 400: every model has its own "
        "vocabulary. The model's chat template is applied.",
        (Good("Once", {"prompt": "Once"}), Good(["Once"], {"prompt": "Once"}), Good(["a", "b"], {"prompt": "a"})),
        (Bad(""), Bad([]), Bad([1, 2]), Bad([[1, 2]]), Bad(["a", ""], "prompt[1]"), Bad({}), Bad(["a"] * 33)),
    ),
    Field(
        "suffix",
        "yes",
        kinds.text(1_000_000),
        "Text after the gap, on models with the insert capability; a 400 on others.",
        (Good("}", {"suffix": "}"}, {"model": "mistral-7b"}), Good("")),
        (Bad("}"), Bad(1)),
    ),
    _STREAM,
    _STREAM_OPTIONS,
    *_SHARED[:2],
    _max_tokens("max_tokens", _MAX_TOKENS_NOTES),
    _STOP,
    *_SHARED[2:],
    _SEED,
    Field(
        "echo",
        "yes",
        kinds.boolean(),
        "Puts the prompt before the answer. Not together with `logprobs`: Ollama has none for prompts.",
        (Good(True), Good(False)),
        (Bad(True, beside={"logprobs": 1}), Bad("yes")),
        default="`false`",
    ),
    Field(
        "logprobs",
        "yes",
        kinds.integer(0, 5),
        "Log-probabilities of the answer's tokens, with so many alternatives; needs Ollama 0.12.11 or later.",
        (Good(2, {"logprobs": True, "top_logprobs": 2}), Good(0, {"logprobs": True})),
        (Bad(6), Bad(True), Bad("1")),
    ),
    Field(
        "best_of",
        "1 only",
        kinds.only_one("best_of > 1 is not supported; call the endpoint multiple times"),
        "`best_of > 1` is a 400.",
        (Good(1),),
        (Bad(2, None), Bad(0)),
        default="1",
    ),
    _N,
    _LOGIT_BIAS,
    _USER,
)

EMBEDDINGS: Rows = rows(
    Field(
        "model",
        "required",
        kinds.text(256),
        "An embedding model from the catalog.",
        (Good("nomic-embed", {"model": "nomic-embed-text"}),),
        (Bad("phi-3-mini"), Bad("ada"), Bad(None)),
    ),
    Field(
        "input",
        "required",
        kinds.texts(
            MAX_INPUTS,
            "input as token ids is not supported: every model has its own vocabulary. Send text; in LangChain, set "
            "check_embedding_ctx_length=False.",
        ),
        f"A string, or up to {MAX_INPUTS} of them. Token ids are a 400; in LangChain set "
        "`check_embedding_ctx_length=False`. Longer than the model's window is a 400: nothing is cut.",
        (Good("hello", {"input": ["hello"]}), Good(["a", "b"], {"input": ["a", "b"]})),
        (Bad(""), Bad([]), Bad([1, 2]), Bad([[1, 2]]), Bad(["a", ""], "input[1]"), Bad(1), Bad(["a", 1], "input[1]")),
    ),
    Field(
        "encoding_format",
        "yes",
        kinds.one_of("float", "base64"),
        "`float` is a list of numbers, `base64` the same as little-endian float32.",
        (Good("float"), Good("base64")),
        (Bad("int8"), Bad(1)),
        default="`float`",
    ),
    Field(
        "dimensions",
        "yes",
        kinds.integer(1),
        "Keeps so many leading dimensions, normalised again. More than the model has is a 400.",
        (Good(256, {"dimensions": 256}), Good(768)),
        (Bad(0), Bad(769), Bad("256")),
        default="all the model has",
    ),
    _USER,
)

ENDPOINTS: dict[str, Rows] = {"chat": CHAT, "completions": COMPLETIONS, "embeddings": EMBEDDINGS}


def field_rows(endpoint: str) -> list[tuple[str, str, str]]:
    """(field, status, notes in Markdown) for the table of "chat", "completions" or "embeddings"."""
    return [(row.name, row.status, row.notes) for row in ENDPOINTS[endpoint].values()]
