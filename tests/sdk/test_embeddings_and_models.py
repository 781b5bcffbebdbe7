"""Embeddings and the list of models through OpenAI's Python SDK."""

import openai
import pytest
from openai import OpenAI

MODELS = ["phi-3-mini", "mistral-7b", "llama-3.1-8b", "qwen-2.5-7b", "nomic-embed"]


def test_embeddings_arrive_through_the_sdks_own_base64(client: OpenAI) -> None:
    texts = ["the quick brown fox", "hello world"]
    reply = client.embeddings.create(model="nomic-embed", input=texts)
    plain = client.embeddings.create(model="nomic-embed", input=texts, encoding_format="float")
    assert [len(row.embedding) for row in reply.data] == [768, 768]
    assert [row.index for row in reply.data] == [0, 1]
    for row, same in zip(reply.data, plain.data, strict=True):
        assert row.embedding == pytest.approx(same.embedding, abs=1e-7)
        assert sum(number * number for number in row.embedding) == pytest.approx(1, abs=1e-5)
    assert reply.usage.prompt_tokens == reply.usage.total_tokens == 6


def test_fewer_dimensions_are_unit_vectors_too(client: OpenAI) -> None:
    [row] = client.embeddings.create(model="nomic-embed", input="hello world", dimensions=256).data
    assert len(row.embedding) == 256
    assert sum(number * number for number in row.embedding) == pytest.approx(1, abs=1e-5)


def test_the_models_are_listed_and_found_one_by_one(client: OpenAI) -> None:
    listed = client.models.list().data
    assert [model.id for model in listed][: len(MODELS)] == MODELS
    for model in listed:
        assert client.models.retrieve(model.id) == model
        assert model.object == "model"


def test_a_model_nobody_has_is_not_found(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4o")
