"""Rows that several endpoints have in common."""

from __future__ import annotations

from typing import Any

from . import types
from .rows import Bad, Field, Good
from .types import Kind


def sampling(name: str, low: float, high: float, notes: str, good: float, default: str = "") -> Field:
    return Field(
        name,
        "yes",
        types.number(low, high),
        notes,
        (Good(good, {"options": {name: good}}), Good(low, {"options": {name: low}}), Good(high)),
        (Bad(high + 0.5), Bad(low - 0.5), Bad("1"), Bad(True)),
        option=name,
        default=default or "the model's own",
    )


def without_effect(name: str, kind: Kind, notes: str, good: Any, bad: tuple[Bad, ...] = ()) -> Field:
    return Field(name, "no effect", kind, notes, (Good(good),), bad)


MODEL = Field(
    "model",
    "required",
    types.text(256),
    "An id from the catalog, plain: no `openai/` prefix.",
    (Good("phi-3-mini", {"model": "phi3:mini"}),),
    (Bad("gpt-4o"), Bad("openai/phi-3-mini"), Bad("nomic-embed"), Bad(7)),
)
TOP_P = sampling("top_p", 0, 1, "Forwarded.", 0.9)
STREAM = Field(
    "stream",
    "yes",
    types.boolean(),
    "Server-Sent Events, terminated by `data: [DONE]`.",
    (Good(True, {"stream": True}), Good(False, {"stream": False})),
    (Bad("true"), Bad(1)),
    default="`false`",
)
STREAM_OPTIONS = Field(
    "stream_options",
    "yes",
    types.options(include_usage=types.boolean()),
    "`{include_usage: true}` adds one chunk with empty `choices` and the `usage` before `[DONE]`.",
    (Good({"include_usage": True}, beside={"stream": True}), Good({})),
    (Bad("usage"), Bad({"include_usage": "yes"}, "stream_options.include_usage")),
    default="no usage chunk",
)
STOP = Field(
    "stop",
    "yes",
    types.stop_strings(4),
    "A string, or a list of up to 4.",
    (Good("\n", {"options": {"stop": ["\n"]}}), Good(["a", "b"], {"options": {"stop": ["a", "b"]}}), Good([])),
    (Bad(["a", "b", "c", "d", "e"]), Bad([1], "stop[0]"), Bad(1)),
)
SEED = Field(
    "seed",
    "yes",
    types.integer(-(2**63), 2**63 - 1),
    "Forwarded. The same seed, request and model give the same answer on the same machine, as far as Ollama can.",
    (Good(7, {"options": {"seed": 7}}), Good(0, {"options": {"seed": 0}}), Good(-1)),
    (Bad("7"), Bad(1.5), Bad(2**63)),
)
USER = Field(
    "user",
    "accepted",
    types.text(512),
    "Stored with the usage of the request; has no effect on the answer.",
    (Good("user-1234"),),
    (Bad(1), Bad("x" * 513)),
)
_N_SENTENCE = "n > 1 is not supported; call the endpoint multiple times"
N = Field(
    "n",
    "1 only",
    types.only_one(_N_SENTENCE),
    "`n > 1` is a 400. Call the endpoint multiple times.",
    (Good(1),),
    (Bad(2), Bad(0), Bad("1")),
    default="1",
)
LOGIT_BIAS = Field(
    "logit_bias",
    "no",
    types.refused("logit_bias is not supported: the model server has no such setting.", unless=({},)),
    "A 400: Ollama has no such setting. An empty object is let through.",
    (Good({}),),
    (Bad({"50256": -100}),),
)
SHARED = (
    sampling("temperature", 0, 2, "Forwarded to Ollama.", 0.7),
    TOP_P,
    sampling("presence_penalty", -2, 2, "Forwarded; not all model families honour it.", 0.5, "0"),
    sampling("frequency_penalty", -2, 2, "Forwarded; not all model families honour it.", 0.5, "0"),
)
MAX_TOKENS_NOTES = "Becomes Ollama's `num_predict`. More than the model's window or your budget leaves is cut to that."


def max_tokens(name: str, notes: str) -> Field:
    return Field(
        name,
        "yes",
        types.integer(1),
        notes,
        (Good(100, {"options": {"num_predict": 100}}), Good(1), Good(65536)),
        (Bad(0), Bad(-1), Bad("100"), Bad(1.5)),
        default="what the window leaves",
    )
