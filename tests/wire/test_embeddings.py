"""Embeddings: floats and base64, usage, and what is refused."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest

from llmrack.errors import InvalidRequest, UpstreamError
from llmrack.wire.ollama import EmbedReply
from tests.wire.support import embed_ask

VECTOR = [0.5, -0.25] * 384


def test_a_request_becomes_one_batch_that_is_never_cut() -> None:
    assert embed_ask(input=["a", "b"], dimensions=256).body() == {
        "model": "nomic-embed-text",
        "input": ["a", "b"],
        "truncate": False,
        "options": {"num_ctx": 2048},
        "dimensions": 256,
    }
    assert embed_ask().body()["dimensions"] == 768


def test_floats_come_back_as_numbers_in_the_order_of_the_inputs() -> None:
    ask = embed_ask(input=["a", "b"])
    answer = json.loads(ask.answer(EmbedReply(embeddings=[VECTOR, VECTOR[::-1]], prompt_eval_count=8)))
    assert answer == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": VECTOR},
            {"object": "embedding", "index": 1, "embedding": VECTOR[::-1]},
        ],
        "model": "nomic-embed",
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }


def test_base64_is_little_endian_float32() -> None:
    answer = json.loads(embed_ask(encoding_format="base64").answer(EmbedReply(embeddings=[VECTOR])))
    data = base64.b64decode(answer["data"][0]["embedding"])
    assert struct.unpack("<768f", data) == tuple(VECTOR)


@pytest.mark.parametrize("count", [None, 0, -1, 10**12])
def test_a_server_that_counts_nothing_leaves_a_quarter_of_the_length(count: int | None) -> None:
    ask = embed_ask(input=["x" * 40, "y"])
    usage = ask.usage(EmbedReply(embeddings=[VECTOR, VECTOR], prompt_eval_count=count))
    assert (usage.prompt_tokens, usage.completion_tokens) == (11, 0)


@pytest.mark.parametrize("vectors", [[], [VECTOR], [VECTOR, VECTOR[:10]], [VECTOR] * 3])
def test_other_vectors_than_asked_for_are_an_upstream_error(vectors: Any) -> None:
    with pytest.raises(UpstreamError):
        embed_ask(input=["a", "b"]).answer(EmbedReply(embeddings=vectors))


def test_token_ids_are_refused_with_the_way_out() -> None:
    with pytest.raises(InvalidRequest, match="check_embedding_ctx_length=False"):
        embed_ask(input=[[1820, 4062]])


def test_an_input_that_cannot_fit_is_refused_by_its_place() -> None:
    with pytest.raises(InvalidRequest) as caught:
        embed_ask(input=["a", "word " * 3000])
    assert (caught.value.param, caught.value.code) == ("input[1]", "context_length_exceeded")


def test_the_estimate_covers_every_input() -> None:
    assert embed_ask(input=["x" * 30] * 4).prompt_tokens == 4 * (10 + 1 + 16)
