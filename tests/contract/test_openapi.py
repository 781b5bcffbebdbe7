"""openapi.json, the routes, the field rows and the answers all say the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
import referencing
from flask import Flask
from referencing.jsonschema import DRAFT202012

from llmrack.errors import ERRORS
from llmrack.inference.context import AppContext
from llmrack.wire import fields
from llmrack.wire.openapi.operations import OPERATIONS
from tests.blueprints.v1.conftest import Api, issue
from tests.contract.api import opened
from tests.contract.field_rows import examples
from tests.contract.test_fields import BASE, PATHS
from tests.support import made
from tests.support.fake_ollama import FakeOllama
from tests.wire.support import WEATHER

REQUESTS = {
    "chat": "CreateChatCompletionRequest",
    "responses": "CreateResponseRequest",
    "messages": "CreateMessageRequest",
    "completions": "CreateCompletionRequest",
}
ANSWERS = {
    "chat": "ChatCompletion",
    "responses": "Response",
    "messages": "Message",
    "completions": "Completion",
    "embeddings": "Embeddings",
}
CHUNKS = {
    "chat": "ChatCompletionChunk",
    "responses": "ResponseEvent",
    "messages": "MessageEvent",
    "completions": "CompletionChunk",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, fake_ollama: FakeOllama) -> Iterator[Flask]:
    yield from opened(tmp_path_factory.mktemp("instance"), fake_ollama)


@pytest.fixture(scope="module")
def api(app: Flask) -> Api:
    context: AppContext = app.extensions["llmrack"]
    account = made.account(context.store, "roomy", datetime.now(UTC), context.plans.get("business"))
    return Api(app.test_client(), issue(context, account.name, "test"))


@pytest.fixture(scope="module")
def document(app: Flask) -> Any:
    return app.test_client().get("/openapi.json").get_json()


def check(document: Any, name: str, value: Any) -> None:
    """Raises jsonschema's ValidationError when a value is not the component it should be."""
    registry = referencing.Registry().with_resource("doc", DRAFT202012.create_resource(document))
    schema = {"$ref": f"doc#/components/schemas/{name}"}
    jsonschema.Draft202012Validator(schema, registry=registry).validate(value)


def test_the_document_is_served_to_everyone_and_cached(app: Flask) -> None:
    client = app.test_client()
    answer = client.get("/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert client.get("/openapi.json", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert answer.get_json()["openapi"] == "3.1.0"


def test_every_route_of_the_api_is_an_operation_and_every_operation_a_route(app: Flask, document: Any) -> None:
    routes = {
        (method.lower(), str(rule).replace("<path:", "<").replace("<", "{").replace(">", "}"))
        for rule in app.url_map.iter_rules()
        # What is answered only to say that it is not served is no operation.
        if str(rule).startswith("/v1") and not rule.endpoint.startswith("v1.elsewhere.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {(method, path) for path, row in document["paths"].items() for method in row}
    assert described == routes == {(operation.method, operation.path) for operation in OPERATIONS}


def test_every_schema_is_one_and_every_reference_leads_somewhere(document: Any) -> None:
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "#/')[1:]}:
        target = document
        for step in reference.split("/"):
            target = target[step]


@pytest.mark.parametrize("endpoint", fields.ENDPOINTS)
def test_every_field_is_in_the_document_with_its_status(document: Any, endpoint: str) -> None:
    name = REQUESTS.get(endpoint, "CreateEmbeddingsRequest")
    properties = document["components"]["schemas"][name]["properties"]
    rows = fields.ENDPOINTS[endpoint]
    assert {field: schema["x-status"] for field, schema in properties.items()} == {
        row.name: row.status for row in rows.values()
    }


def test_every_error_is_documented_with_its_status(document: Any) -> None:
    described = {
        int(status) for path in document["paths"].values() for row in path.values() for status in row["responses"]
    }
    # 405 belongs to a path and a wrong method, which is no operation.
    assert described == {200} | {error.status for error in ERRORS} - {405}


@pytest.mark.parametrize(("endpoint", "row", "example"), examples("good", fields.ENDPOINTS))
def test_a_good_value_passes_the_running_server_and_fits_the_document(
    api: Api, document: Any, endpoint: str, row: Any, example: Any
) -> None:
    request = {**BASE[endpoint], row.name: example.value, **example.beside}
    check(document, REQUESTS.get(endpoint, "CreateEmbeddingsRequest"), request)
    answer = api.post(PATHS[endpoint], request)
    assert answer.status_code == 200, answer.get_data()
    if request.get("stream"):
        events = [event.rpartition("data: ")[2] for event in answer.get_data(as_text=True).split("\n\n")]
        for event in events[:-1]:
            if event != "[DONE]":
                check(document, CHUNKS[endpoint], json.loads(event))
    else:
        check(document, ANSWERS[endpoint], answer.get_json())


@pytest.mark.parametrize(("endpoint", "row", "example"), examples("bad", fields.ENDPOINTS))
def test_a_bad_value_is_a_400_of_the_running_server_in_the_envelope(
    api: Api, document: Any, endpoint: str, row: Any, example: Any
) -> None:
    answer = api.post(PATHS[endpoint], {**BASE[endpoint], row.name: example.value, **example.beside})
    assert answer.status_code == 400
    check(document, "MessageError" if endpoint == "messages" else "Error", answer.get_json())
    error = answer.get_json()["error"]
    assert error["type"] == "invalid_request_error"
    if endpoint == "messages":
        return
    assert error["param"] == (row.name if example.param == "=" else example.param)


STRICT = {
    "type": "json_schema",
    "json_schema": {
        "name": "city",
        "strict": True,
        "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize(
    "asked",
    [
        {"tools": [WEATHER]},
        {"tools": [WEATHER], "tool_choice": "required"},
        {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
        {"tools": [WEATHER], "tool_choice": "none"},
        {"tools": [WEATHER], "response_format": STRICT},
        {"response_format": STRICT},
        {"response_format": {"type": "json_object"}},
        {"logprobs": True, "top_logprobs": 2},
        {"model": "deepseek-r1-8b", "reasoning_effort": "high"},
        {"max_tokens": 3},
        {"stream_options": {"include_usage": True}},
    ],
)
def test_every_kind_of_chat_answer_fits_the_document(
    api: Api, document: Any, asked: dict[str, Any], is_streamed: bool
) -> None:
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    request = {"model": "llama-3.1-8b", "messages": messages, "stream": is_streamed, **asked}
    check(document, "CreateChatCompletionRequest", request)
    answer = api.post("/chat/completions", request)
    assert answer.status_code == 200, answer.get_data()
    if not is_streamed:
        check(document, "ChatCompletion", answer.get_json())
        choice = answer.get_json()["choices"][0]
        must_call = asked.get("tool_choice", "none") != "none"
        assert ("tool_calls" in choice["message"]) or not must_call
        return
    chunks = answer.get_data(as_text=True).split("\n\n")
    assert chunks[-2:] == ["data: [DONE]", ""]
    for chunk in chunks[:-2]:
        check(document, "ChatCompletionChunk", json.loads(chunk.removeprefix("data: ")))


def test_the_other_answers_fit_the_document(api: Api, document: Any) -> None:
    check(document, "ModelList", api.get("/models").get_json())
    check(document, "ModelList", api.get("/models?client_version=0.169.0").get_json())
    check(document, "Model", api.get("/models/phi-3-mini").get_json())
    check(document, "AccountUsage", api.get("/usage").get_json())
    request_id = api.chat("hi").headers["x-request-id"]
    check(document, "Receipt", api.get(f"/requests/{request_id}").get_json())
    check(document, "Error", api.get("/models/none").get_json())


def test_the_documented_headers_are_sent(api: Api, document: Any) -> None:
    answer = api.post("/chat/completions", {**BASE["chat"], "num_ctx": 1, "user": "a\0"})
    assert answer.headers["x-llmrack-ignored"] == "num_ctx"
    assert answer.headers["x-llmrack-replaced"] == "user"
    for name in document["paths"]["/v1/chat/completions"]["post"]["responses"]["200"]["headers"]:
        if not name.endswith("-tokens"):
            assert name in answer.headers
