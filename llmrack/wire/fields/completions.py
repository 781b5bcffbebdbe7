"""The request fields of POST /v1/completions."""

from __future__ import annotations

from . import shared, types
from .rows import Bad, Field, Good, Rows, rows

MAX_PROMPTS = 32

COMPLETIONS: Rows = rows(
    shared.MODEL,
    Field(
        "prompt",
        "required",
        types.texts(
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
        types.text(),
        "Text after the gap, on models with the insert capability; a 400 on others.",
        (Good("}", {"suffix": "}"}, {"model": "qwen-2.5-coder-7b"}), Good("")),
        (Bad("}"), Bad(1)),
    ),
    shared.STREAM,
    shared.STREAM_OPTIONS,
    *shared.SHARED[:2],
    shared.max_tokens("max_tokens", shared.MAX_TOKENS_NOTES),
    shared.STOP,
    *shared.SHARED[2:],
    shared.SEED,
    Field(
        "echo",
        "yes",
        types.boolean(),
        "Puts the prompt before the answer. Not together with `logprobs`: Ollama has none for prompts.",
        (Good(True), Good(False)),
        (Bad(True, beside={"logprobs": 1}), Bad("yes")),
        default="`false`",
    ),
    Field(
        "logprobs",
        "yes",
        types.integer(0, 5),
        "Log-probabilities of the answer's tokens, with so many alternatives; needs Ollama 0.12.11 or later.",
        (Good(2, {"logprobs": True, "top_logprobs": 2}), Good(0, {"logprobs": True})),
        (Bad(6), Bad(True), Bad("1")),
    ),
    Field(
        "best_of",
        "1 only",
        types.only_one("best_of > 1 is not supported; call the endpoint multiple times"),
        "`best_of > 1` is a 400.",
        (Good(1),),
        (Bad(2), Bad(0)),
        default="1",
    ),
    shared.N,
    shared.LOGIT_BIAS,
    shared.USER,
)
