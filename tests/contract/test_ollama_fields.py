"""Every field of Ollama's own API keeps the promise of its row, as those of /v1 do in test_fields.py."""

from __future__ import annotations

from typing import Any

import pytest

from llmrack.errors import ApiError
from llmrack.wire import fields
from llmrack.wire.fields.rows import Bad, Field, Good, Rows
from llmrack.wire.ollama_api import embed, request
from llmrack.wire.ollama_api.embed import OllamaEmbedding
from llmrack.wire.ollama_api.request import OllamaRequest
from llmrack.wire.parsed import Features
from tests.contract.field_rows import examples, name_of, rows
from tests.contract.test_fields import holds
from tests.wire.support import CATALOG, encoded

ENDPOINTS: dict[str, Rows] = {
    "chat": fields.OLLAMA_CHAT,
    "generate": fields.OLLAMA_GENERATE,
    "embed": fields.OLLAMA_EMBED,
    "embeddings": fields.OLLAMA_EMBEDDINGS,
}
BASE: dict[str, dict[str, Any]] = {
    "chat": {"model": "phi-3-mini", "messages": [{"role": "user", "content": "hi"}]},
    "generate": {"model": "phi-3-mini", "prompt": "hi"},
    "embed": {"model": "nomic-embed", "input": "hi"},
    "embeddings": {"model": "nomic-embed", "prompt": "hi"},
}


def parsed(endpoint: str, body: dict[str, Any]) -> Any:
    if endpoint in ("embed", "embeddings"):
        return (embed.parse if endpoint == "embed" else embed.parse_single)(encoded(body), CATALOG)
    return (request.parse_chat if endpoint == "chat" else request.parse_generate)(encoded(body), CATALOG, Features())


def body_of(endpoint: str, body: dict[str, Any]) -> dict[str, Any]:
    """What Ollama is sent for a request."""
    ask = parsed(endpoint, body)
    if isinstance(ask, OllamaEmbedding):
        return ask.body()
    assert isinstance(ask, OllamaRequest)
    return ask.bodies(ask.output_tokens)[0]


@pytest.mark.parametrize(("endpoint", "row", "example"), examples("good", ENDPOINTS))
def test_a_good_value_reaches_ollama_as_its_row_says(endpoint: str, row: Field, example: Good) -> None:
    body = {**BASE[endpoint], row.name: example.value, **example.beside}
    assert holds(example.sends, body_of(endpoint, body)), body_of(endpoint, body)
    if row.is_without_effect:
        assert row.name in parsed(endpoint, body).ignored


@pytest.mark.parametrize(("endpoint", "row", "example"), examples("bad", ENDPOINTS))
def test_a_bad_value_is_refused_by_its_own_name(endpoint: str, row: Field, example: Bad) -> None:
    with pytest.raises(ApiError) as caught:
        body_of(endpoint, {**BASE[endpoint], row.name: example.value, **example.beside})
    assert caught.value.param == (row.name if example.param == "=" else example.param)
    assert caught.value.status in (400, 404)
    assert "response_format" not in caught.value.message


@pytest.mark.parametrize(("endpoint", "row"), list(rows(ENDPOINTS)), ids=name_of)
def test_null_is_the_same_as_absent(endpoint: str, row: Field) -> None:
    if not row.is_required:
        assert body_of(endpoint, {**BASE[endpoint], row.name: None}) == body_of(endpoint, BASE[endpoint])


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_unknown_field_passes_and_is_listed(endpoint: str) -> None:
    ask = parsed(endpoint, {**BASE[endpoint], "temperature": "hot", "weird\r\nname": 1})
    assert ask.ignored == ("temperature", "weird??name")


OPTIONS = list(fields.OLLAMA_OPTIONS.values())


@pytest.mark.parametrize("endpoint", ["chat", "generate"])
@pytest.mark.parametrize("row", OPTIONS, ids=lambda row: row.name)
def test_an_option_is_checked_under_its_own_name_and_forwarded(endpoint: str, row: Field) -> None:
    for good in row.good:
        assert holds(good.sends, body_of(endpoint, {**BASE[endpoint], "options": {row.name: good.value}}))
    for bad in row.bad:
        with pytest.raises(ApiError) as caught:
            body_of(endpoint, {**BASE[endpoint], "options": {row.name: bad.value}})
        assert (caught.value.param or "").startswith(f"options.{row.name}")


@pytest.mark.parametrize("endpoint", ["chat", "generate"])
def test_an_option_that_would_load_the_model_anew_never_reaches_it(endpoint: str) -> None:
    options = {"num_ctx": 99, "num_gpu": 0, "num_keep": 4, "use_mmap": False, "temperature": 0.5}
    body = {**BASE[endpoint], "options": options}
    assert parsed(endpoint, body).ignored == tuple(f"options.{name}" for name in options if name != "temperature")
    plain = body_of(endpoint, {**BASE[endpoint], "options": {"temperature": 0.5}})
    assert body_of(endpoint, body) == plain
