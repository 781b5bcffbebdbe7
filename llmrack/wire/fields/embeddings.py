"""The request fields of POST /v1/embeddings."""

from __future__ import annotations

from . import shared, types
from .rows import Bad, Field, Good, Rows, rows

MAX_INPUTS = 2048

EMBEDDINGS: Rows = rows(
    Field(
        "model",
        "required",
        types.text(256),
        "An embedding model from the catalog.",
        (Good("nomic-embed", {"model": "nomic-embed-text"}),),
        (Bad("phi-3-mini"), Bad("ada"), Bad(None)),
    ),
    Field(
        "input",
        "required",
        types.texts(
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
        types.one_of("float", "base64"),
        "`float` is a list of numbers, `base64` the same as little-endian float32.",
        (Good("float"), Good("base64")),
        (Bad("int8"), Bad(1)),
        default="`float`",
    ),
    Field(
        "dimensions",
        "yes",
        types.integer(1),
        "Keeps so many leading dimensions, normalised again. More than the model has is a 400.",
        (Good(256, {"dimensions": 256}), Good(768)),
        (Bad(0), Bad(769), Bad("256")),
        default="all the model has",
    ),
    shared.USER,
)
