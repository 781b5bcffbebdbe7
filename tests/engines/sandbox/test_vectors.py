"""Embeddings of test mode: unit vectors, close for close texts, quick."""

import struct
import time
from typing import Any

import pytest

from llmrack.engines.base import ClientGone, EngineRequest
from llmrack.engines.sandbox import Sandbox
from llmrack.errors import InvalidRequest

engine = Sandbox(("nomic",), pace=0)


def call() -> EngineRequest:
    return EngineRequest("req_test", silence_s=5)


def embed(*texts: str, **more: Any) -> list[list[float]]:
    return engine.embed({"model": "nomic", "input": list(texts), **more}, call()).embeddings


def cosine(first: str, second: str) -> float:
    one, other = embed(first, second)
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("the quick brown fox", "a quick brown fox jumps"),
        ("reset my password", "I forgot my password, how can I reset it?"),
        ("Running shoes", "running shoe"),
    ],
)
def test_texts_that_share_words_are_close(first: str, second: str) -> None:
    assert cosine(first, second) > 0.6


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("the quick brown fox", "hello world"),
        ("The stock market fell on inflation fears", "How do I bake sourdough bread at home?"),
        ("What is the weather in Paris?", "Explain the theory of relativity to me"),
    ],
)
def test_unrelated_texts_are_far_apart(first: str, second: str) -> None:
    assert abs(cosine(first, second)) < 0.3


@pytest.mark.parametrize("text", ["hello world", "", " ", "🙂", "你好", "a", "x" * 10_000])
def test_vectors_are_unit_length_and_survive_float32(text: str) -> None:
    [vector] = embed(text)
    assert len(vector) == 768
    assert sum(number * number for number in vector) == pytest.approx(1, abs=1e-6)
    assert list(struct.unpack("<768f", struct.pack("<768f", *vector))) == vector


def test_fewer_dimensions_are_the_beginning_at_unit_length_again() -> None:
    [whole], [part] = embed("hello world"), embed("hello world", dimensions=256)
    assert len(part) == 256
    assert sum(number * number for number in part) == pytest.approx(1, abs=1e-6)
    length = sum(number * number for number in whole[:256]) ** 0.5
    assert part == pytest.approx([number / length for number in whole[:256]], abs=1e-6)
    assert len(embed("hello", dimensions=4000)[0]) == 768


def test_a_model_may_have_another_width() -> None:
    wide = Sandbox(("wide",), pace=0, widths={"wide": 1024})
    [vector] = wide.embed({"model": "wide", "input": ["hello world"]}, call()).embeddings
    assert len(vector) == 1024
    assert sum(number * number for number in vector) == pytest.approx(1, abs=1e-6)


def test_the_count_is_of_all_inputs() -> None:
    reply = engine.embed({"input": ["the quick brown fox", "hello world"]}, call())
    assert reply.prompt_eval_count == 6
    assert len(reply.embeddings) == 2
    assert engine.embed({"input": "hello world"}, call()).embeddings == [reply.embeddings[1]]


def test_a_text_over_the_context_is_cut_or_refused() -> None:
    long = "word " * 9000
    reply = engine.embed({"input": [long]}, call())
    assert reply.prompt_eval_count == 8192
    with pytest.raises(InvalidRequest) as refused:
        engine.embed({"input": [long], "truncate": False}, call())
    assert refused.value.code == "context_length_exceeded"
    assert engine.embed({"input": ["a b c d"], "options": {"num_ctx": 2}}, call()).prompt_eval_count == 2


def test_a_short_text_takes_under_two_milliseconds() -> None:
    texts = [f"the lazy dog number {n} sleeps while the fox runs around tree {n}" for n in range(200)]
    began = time.process_time()
    embed(*texts)
    assert (time.process_time() - began) / len(texts) < 0.002


def test_a_client_that_left_stops_a_long_batch() -> None:
    gone = call()
    engine_of_gone = Sandbox((), pace=0, sleep=lambda seconds: gone.abandon())
    with pytest.raises(ClientGone):
        engine_of_gone.embed({"input": ["word " * 2000] * 50}, gone)
