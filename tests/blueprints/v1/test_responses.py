"""POST /v1/responses over HTTP: headers, statuses, receipts, and streams that break."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.blueprints.v1.conftest import Api
from tests.support.fake_ollama import FakeOllama

HI = {"model": "llama-3.1-8b", "input": "Count from 1 to 5"}


def events(text: str) -> list[Any]:
    return [json.loads(block.partition("data: ")[2]) for block in text.split("\n\n")[:-1]]


def test_an_answer_has_the_id_of_its_request_and_a_receipt_of_its_own_kind(live: Api) -> None:
    answer = live.post("/responses", HI)
    request_id = answer.headers["x-request-id"]
    body = answer.get_json()
    assert (answer.status_code, body["id"]) == (200, f"resp_{request_id.removeprefix('req_')}")
    assert body["output"][0]["content"][0]["text"] == "Here it goes: 1, 2, 3, 4, 5."
    receipt = live.get(f"/requests/{request_id}").get_json()
    assert (receipt["endpoint"], receipt["outcome"]) == ("responses", "completed")
    assert receipt["usage"]["prompt_tokens"] == body["usage"]["input_tokens"]
    assert receipt["usage"]["completion_tokens"] == body["usage"]["output_tokens"]


def test_a_stream_is_of_named_events_and_has_no_other_end(live: Api) -> None:
    answer = live.post("/responses", {**HI, "stream": True})
    text = answer.get_data(as_text=True)
    assert answer.content_type == "text/event-stream; charset=utf-8"
    found = events(text)
    assert text.startswith("event: response.created\ndata: {")
    assert "[DONE]" not in text
    assert found[-1]["type"] == "response.completed"
    assert [event["sequence_number"] for event in found] == list(range(len(found)))


def test_what_has_no_effect_is_in_the_header(live: Api) -> None:
    tools = [{"type": "web_search"}, {"type": "function", "name": "f"}]
    answer = live.post("/responses", {**HI, "tools": tools, "store": True, "moderation": {}})
    assert answer.headers["x-llmrack-ignored"] == "moderation, store, tools[0]:web_search"


def test_the_model_server_reads_what_a_chat_would_be(live: Api, fake_ollama: FakeOllama) -> None:
    live.post("/responses", {**HI, "instructions": "Be brief.", "input": "hi [[tag:response]]"})
    sent = fake_ollama.last(tag="response")["body"]
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert (sent["messages"][0]["content"], sent["truncate"], sent["shift"]) == ("Be brief.", False, False)


@pytest.mark.parametrize("fault", ["fin_at_chunk:2", "clean_end_no_done"])
def test_a_stream_that_breaks_says_so_to_both_kinds_of_readers(live: Api, fault: str) -> None:
    answer = live.post("/responses", {**HI, "input": f"Count from 1 to 5 [[fault:{fault}]]", "stream": True})
    assert answer.status_code == 200
    *_, told, failed = events(answer.get_data(as_text=True))
    assert (told["type"], failed["type"]) == ("error", "response.failed")
    assert failed["response"]["error"]["code"] == "server_error"
    assert failed["response"]["usage"]["output_tokens"] > 0
    receipt = live.get(f"/requests/{answer.headers['x-request-id']}").get_json()
    assert receipt["outcome"] == "stream_error"


def test_a_websocket_is_told_to_use_http(live: Api) -> None:
    headers = live.headers({"Connection": "Upgrade", "Upgrade": "websocket"})
    answer = live.client.get("/v1/responses", headers=headers)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (426, "method_not_allowed")
    plain = live.get("/responses")
    assert (plain.status_code, plain.headers["Allow"]) == (405, "OPTIONS, POST")


@pytest.mark.parametrize(
    ("fields", "status", "param", "code"),
    [
        ({"input": "word " * 200_000}, 400, "input", "context_length_exceeded"),
        ({"model": "gpt-4o"}, 400, "model", "model_not_found"),
        ({"previous_response_id": "resp_1"}, 400, "previous_response_id", "unsupported_parameter"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, 400, "input[0]", "unsupported_parameter"),
    ],
)
def test_a_refusal_is_the_usual_envelope(live: Api, fields: Any, status: int, param: str, code: str) -> None:
    answer = live.post("/responses", {**HI, **fields})
    error = answer.get_json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (status, param, code)
    assert error["type"] == "invalid_request_error"
