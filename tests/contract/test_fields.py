"""Every request field keeps the promise of its row: the good examples pass and reach Ollama as stated, each bad one is
a 400 that names the field."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from llmrack.errors import InvalidRequest
from llmrack.inference.context import AppContext
from llmrack.wire import completions, embeddings, fields
from llmrack.wire.chat import request as chat_request
from llmrack.wire.fields.rows import Bad, Field, Good, Status
from llmrack.wire.messages import request as messages_request
from llmrack.wire.parsed import Features
from llmrack.wire.responses import request as responses_request
from tests.blueprints.v1.conftest import Api, issue
from tests.contract.api import opened
from tests.contract.field_rows import examples, rows
from tests.support import made
from tests.support.fake_ollama import FakeOllama
from tests.wire.support import CATALOG, encoded

BASE: dict[str, dict[str, Any]] = {
    "chat": {"model": "phi-3-mini", "messages": [{"role": "user", "content": "hi"}]},
    "responses": {"model": "phi-3-mini", "input": "hi"},
    "messages": {"model": "phi-3-mini", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50},
    "completions": {"model": "phi-3-mini", "prompt": "hi"},
    "embeddings": {"model": "nomic-embed", "input": "hi"},
}


PARSE: dict[str, Any] = {
    "chat": chat_request.parse,
    "responses": responses_request.parse,
    "messages": messages_request.parse,
    "completions": completions.parse,
}


def parsed_body(endpoint: str, request: dict[str, Any]) -> dict[str, Any]:
    """What Ollama is sent for a request."""
    if endpoint == "embeddings":
        return embeddings.parse(encoded(request), CATALOG).body()
    ask = PARSE[endpoint](encoded(request), CATALOG, Features())
    body: dict[str, Any] = ask.bodies(ask.output_tokens)[0]
    return body


def holds(part: Any, whole: Any) -> bool:
    """Whether every key of `part` is in `whole` with this value, at every depth of objects."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and holds(value, whole[key]) for key, value in part.items())
    return bool(part == whole)


@pytest.mark.parametrize(("endpoint", "row", "example"), examples("good", fields.ENDPOINTS))
def test_a_good_value_passes_and_reaches_ollama_as_the_row_says(endpoint: str, row: Field, example: Good) -> None:
    body = parsed_body(endpoint, {**BASE[endpoint], row.name: example.value, **example.beside})
    assert holds(example.sends, body), body


@pytest.mark.parametrize(("endpoint", "row", "example"), examples("bad", fields.ENDPOINTS))
def test_a_bad_value_is_a_400_that_names_the_field(endpoint: str, row: Field, example: Bad) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parsed_body(endpoint, {**BASE[endpoint], row.name: example.value, **example.beside})
    assert caught.value.param == (row.name if example.param == "=" else example.param)


@pytest.mark.parametrize(
    ("endpoint", "row"), list(rows(fields.ENDPOINTS)), ids=lambda value: getattr(value, "name", value)
)
def test_null_is_the_same_as_absent(endpoint: str, row: Field) -> None:
    if row.is_required:
        with pytest.raises(InvalidRequest) as caught:
            parsed_body(endpoint, {**BASE[endpoint], row.name: None})
        assert caught.value.param == row.name
    else:
        assert parsed_body(endpoint, {**BASE[endpoint], row.name: None}) == parsed_body(endpoint, BASE[endpoint])


@pytest.mark.parametrize(
    ("endpoint", "row"), list(rows(fields.ENDPOINTS)), ids=lambda value: getattr(value, "name", value)
)
def test_every_row_has_notes_and_examples_for_what_it_claims(endpoint: str, row: Field) -> None:
    assert row.notes
    assert row.good or row.status == "no"
    assert row.bad or row.status == "no effect"


@pytest.mark.parametrize("endpoint", fields.ENDPOINTS)
def test_a_field_without_a_row_passes_and_is_listed(endpoint: str) -> None:
    request = encoded({**BASE[endpoint], "num_ctx": 1, "options": {"num_gpu": 0}, "weird\r\nname": 1})
    if endpoint == "embeddings":
        ignored = embeddings.parse(request, CATALOG).ignored
    else:
        ignored = PARSE[endpoint](request, CATALOG, Features()).ignored
    assert ignored == ("num_ctx", "options", "weird??name")
    assert parsed_body(endpoint, {**BASE[endpoint], "options": {"num_gpu": 0}}) == parsed_body(endpoint, BASE[endpoint])


@pytest.mark.parametrize("endpoint", fields.ENDPOINTS)
def test_every_endpoint_has_a_table_of_its_fields(endpoint: str) -> None:
    table = fields.field_rows(endpoint)
    assert [name for name, _, _ in table] == list(fields.ENDPOINTS[endpoint])
    assert all(status in get_args(Status) for _, status, _ in table)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, fake_ollama: FakeOllama) -> Iterator[Api]:
    for app in opened(tmp_path_factory.mktemp("fields"), fake_ollama):
        context: AppContext = app.extensions["llmrack"]
        name = made.account(context.store, "fields", datetime.now(UTC), context.plans.get("business")).name
        yield Api(app.test_client(), issue(context, name, "test"))


# A model that can do what the field asks for: what a model cannot do is listed for that reason.
ABLE = dict.fromkeys(("chat", "responses", "messages", "completions"), "llama-3.1-8b") | {"embeddings": "nomic-embed"}
REASONS = {"model": "deepseek-r1-8b"}
PATHS = {
    "chat": "/chat/completions",
    "responses": "/responses",
    "messages": "/messages",
    "completions": "/completions",
    "embeddings": "/embeddings",
}


@pytest.mark.parametrize(("endpoint", "row", "example"), examples("good", fields.ENDPOINTS))
def test_the_header_lists_a_field_exactly_when_its_row_says_no_effect(
    api: Api, endpoint: str, row: Field, example: Good
) -> None:
    able = REASONS if row.name in ("reasoning_effort", "reasoning", "thinking") else {"model": ABLE[endpoint]}
    answer = api.post(PATHS[endpoint], {**BASE[endpoint], **able, row.name: example.value, **example.beside})
    assert answer.status_code == 200, answer.get_data()
    assert answer.headers.get("x-llmrack-ignored") == (row.name if row.status == "no effect" else None)
    answer.close()


def test_rows_of_every_status_are_among_those_that_are_tried() -> None:
    assert {row.status for _, row in rows(fields.ENDPOINTS)} == set(get_args(Status))
    assert {"store", "metadata", "service_tier", "prediction"} <= {
        row.name for _, row in rows(fields.ENDPOINTS) if row.status == "no effect"
    }
