"""Every failure is in the envelope, on every path, and nothing a client can send is a 500."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from tests.blueprints.v1.conftest import Api
from tests.support.fake_ollama import FakeOllama

CHAT = "/chat/completions"
MESSAGES = [{"role": "user", "content": "hi"}]


def error_of(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.get_data()
    assert answer.content_type == "application/json"
    assert answer.headers["x-request-id"]
    body = answer.get_json()
    assert list(body) == ["error"]
    assert list(body["error"]) == ["message", "type", "param", "code"]
    return body["error"]


PATHS = ["/v1/nope", "/v1", "/v1/", "/v1/nope/", "/api/v1/models", "/props", "/version"]


@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_path_is_a_json_404_with_and_without_a_key(live: Api, path: str) -> None:
    for headers in ({}, live.headers()):
        error = error_of(live.client.get(path, headers=headers), 404)
        assert error["type"] == "not_found_error"
    error_of(live.client.post(path, json={}), 404)


ASTRAY = [
    ("/chat/completions", "/v1/chat/completions"),
    ("/v1/chat/completions/", "/v1/chat/completions"),
    ("/v1/v1/chat/completions", "/v1/chat/completions"),
    ("/embeddings", "/v1/embeddings"),
    ("/api/v1/chat/completions", "/v1/chat/completions"),
    ("/v1/api/chat", "/api/chat"),
]


@pytest.mark.parametrize(("path", "meant"), ASTRAY)
def test_a_path_beside_a_right_one_is_a_404_that_names_the_right_one(live: Api, path: str, meant: str) -> None:
    error = error_of(live.client.post(path, headers=live.headers(), json={}), 404)
    assert error["message"].endswith(f"Use {meant}.")


def test_a_path_beside_no_right_one_gets_no_advice(live: Api) -> None:
    assert "Use" not in error_of(live.client.get("/v1/nope"), 404)["message"]


@pytest.mark.parametrize("name", ["llama3.1:8b", "LLAMA3.1:8B", "ollama/llama3.1:8b", "openai/llama-3.1-8b"])
def test_another_name_of_a_model_is_answered_with_its_id(live: Api, name: str) -> None:
    body = {"model": name, "messages": MESSAGES}
    error = error_of(live.post(CHAT, body), 400)
    assert (error["param"], error["code"]) == ("model", "model_not_found")
    assert error["message"].endswith("Use the plain id 'llama-3.1-8b'.")


@pytest.mark.parametrize("path", ["/models", "/pricing"])
@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/markdown", "text/html,*/*;q=0.8"])
def test_a_page_of_the_site_is_html_for_everybody_and_the_api_json(live: Api, path: str, accept: str | None) -> None:
    headers = {"Accept": accept} if accept else {}
    for sent in (headers, live.headers(headers)):
        page = live.client.get(path, headers=sent)
        assert (page.status_code, page.mimetype) == (200, "text/html")
    listed = live.client.get("/v1/models", headers=live.headers(headers))
    assert (listed.status_code, listed.mimetype) == (200, "application/json")


def test_a_wrong_method_is_a_405_that_names_the_right_one(live: Api) -> None:
    answer = live.get(CHAT)
    assert "POST" in error_of(answer, 405)["message"]
    assert "POST" in answer.headers["Allow"]


def test_a_body_over_the_cap_is_413(live: Api) -> None:
    error_of(live.post(CHAT, b"[" + b" " * 10_485_760 + b"]"), 413)


def test_a_compressed_body_is_415(live: Api) -> None:
    error_of(live.post(CHAT, b"x", {"Content-Encoding": "gzip"}), 415)


BROKEN = [
    ("empty", b""),
    ("not JSON", b"hello"),
    ("cut", b'{"model": "phi-3-mini"'),
    ("trailing", b'{"model": "phi-3-mini"} x'),
    ("not an object", b"[]"),
    ("a number", b"7"),
    ("null", b"null"),
    ("deep", b'{"model":' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    ("NaN", b'{"model": "phi-3-mini", "messages": [], "temperature": NaN}'),
    ("infinity", b'{"model": "phi-3-mini", "messages": [], "temperature": 1e999}'),
    ("byte order mark", b'\xef\xbb\xbf{"model": "phi-3-mini", "messages": [{"role": "user", "content": "hi"}]}'),
    ("bad UTF-8", b'{"model": "phi-3-mini", "messages": [{"role": "user", "content": "\xff"}]}'),
    ("UTF-16", '{"model": "phi-3-mini"}'.encode("utf-16")),
]


@pytest.mark.parametrize("body", [row[1] for row in BROKEN], ids=[row[0] for row in BROKEN])
@pytest.mark.parametrize("path", [CHAT, "/completions", "/embeddings"])
def test_a_body_that_is_not_good_json_is_400(live: Api, path: str, body: bytes) -> None:
    assert error_of(live.post(path, body), 400)["type"] == "invalid_request_error"


UNFIT = [("a\\u0000b", "a\ufffdb"), ("\\ud83d", "\ufffd"), ("\\uDE00 \\ud83d\\ude00", "\ufffd \U0001f600")]


@pytest.mark.parametrize(("escaped", "read"), UNFIT)
@pytest.mark.parametrize("stream", [True, False])
def test_characters_that_text_cannot_hold_reach_the_model_as_replacements_and_are_told(
    live: Api, fake_ollama: FakeOllama, escaped: str, read: str, stream: bool
) -> None:
    """A turn that holds one is sent again with each turn after it, so a refusal would end the conversation."""
    arguments = '{"a": "' + escaped + '"}'
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    messages = [
        {"role": "user", "content": "@@"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "@@"},
        {"role": "user", "content": "hi [[tag:unfit]]"},
    ]
    body = json.dumps({"model": "phi-3-mini", "messages": messages, "user": "u-@@", "stream": stream})
    answer = live.post(CHAT, body.replace("@@", escaped).encode())
    assert answer.status_code == 200, answer.get_data()
    assert answer.get_data()
    assert answer.headers["x-llmrack-replaced"] == (
        "messages[0].content, messages[2].content, user, messages[1].tool_calls[0].function.arguments"
    )
    sent = fake_ollama.last(tag="unfit")["body"]["messages"]
    assert [sent[0]["content"], sent[2]["content"]] == [read, read]
    assert sent[1]["tool_calls"][0]["function"]["arguments"] == {"a": read}
    answer.close()
    assert live.get(f"/requests/{answer.headers['x-request-id']}").get_json()["user"] == f"u-{read}"


@pytest.mark.parametrize(
    ("path", "model", "field"), [("/completions", "phi-3-mini", "prompt"), ("/embeddings", "nomic-embed", "input")]
)
def test_replacements_are_told_by_every_endpoint_that_reads_text(live: Api, path: str, model: str, field: str) -> None:
    for escaped, _ in UNFIT:
        body = json.dumps({"model": model, field: "x@@"}).replace("@@", escaped)
        answer = live.post(path, body.encode())
        assert (answer.status_code, answer.headers["x-llmrack-replaced"]) == (200, field)
    assert "x-llmrack-replaced" not in live.post(path, {"model": model, field: "\\ud83d 😀"}).headers


def test_a_byte_order_mark_is_refused_by_its_name(live: Api) -> None:
    error = error_of(live.post(CHAT, b'\xef\xbb\xbf{"model": "phi-3-mini", "messages": []}'), 400)
    assert error["message"] == "The body begins with a byte order mark (U+FEFF). Send UTF-8 without one."
    assert error["code"] == "invalid_json"


FIELDS = [
    ({"messages": MESSAGES}, "model"),
    ({"model": 7, "messages": MESSAGES}, "model"),
    ({"model": "gpt-4o", "messages": MESSAGES}, "model"),
    ({"model": "openai/phi-3-mini", "messages": MESSAGES}, "model"),
    ({"model": "llama3.1:8b", "messages": MESSAGES}, "model"),
    ({"model": "nomic-embed", "messages": MESSAGES}, "model"),
    ({"model": "phi-3-mini"}, "messages"),
    ({"model": "phi-3-mini", "messages": "hi"}, "messages"),
    ({"model": "phi-3-mini", "messages": []}, "messages"),
    ({"model": "phi-3-mini", "messages": [{"role": "wizard", "content": "hi"}]}, "messages[0].role"),
    ({"model": "phi-3-mini", "messages": MESSAGES, "temperature": "hot"}, "temperature"),
    ({"model": "phi-3-mini", "messages": MESSAGES, "stream": "yes"}, "stream"),
    ({"model": "phi-3-mini", "messages": MESSAGES, "max_tokens": 0}, "max_tokens"),
]


@pytest.mark.parametrize(("body", "param"), FIELDS)
def test_a_wrong_field_is_400_and_named(live: Api, body: dict[str, Any], param: str) -> None:
    assert error_of(live.post(CHAT, body), 400)["param"] == param


def test_more_than_one_choice_is_refused_in_the_documented_words(live: Api) -> None:
    assert live.chat("hi", n=2).get_json() == {
        "error": {
            "message": "n > 1 is not supported; call the endpoint multiple times",
            "type": "invalid_request_error",
            "param": "n",
            "code": "unsupported_value",
        }
    }


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/json"])
def test_a_body_is_json_whatever_its_content_type_says(live: Api, content_type: str | None) -> None:
    body = b'{"model": "phi-3-mini", "messages": [{"role": "user", "content": "hi"}]}'
    answer = live.client.post("/v1" + CHAT, data=body, headers=live.headers(), content_type=content_type)
    assert answer.status_code == 200


FAULTS = ["refuse", "fin_no_reply", "fin_at_chunk:2", "clean_end_no_done", "500_html", "500_died", "404_missing"]


@pytest.mark.parametrize("fault", [*FAULTS, "503_busy", "garbage_line", "wrong_usage:string"])
def test_whatever_goes_wrong_upstream_is_a_502(live: Api, fault: str) -> None:
    answer = live.chat(f"Count from 1 to 9 [[fault:{fault}]]")
    assert error_of(answer, 502)["type"] == "api_error"
    assert ("Retry-After" in answer.headers) == (fault == "503_busy")


@pytest.mark.parametrize("usage", ["-1", "null", "10^12"])
def test_counts_that_cannot_be_true_never_reach_the_client(live: Api, usage: str) -> None:
    answer = live.chat(f"hi [[fault:wrong_usage:{usage}]]")
    counts = answer.get_json()["usage"]
    assert answer.status_code == 200
    assert 0 <= counts["prompt_tokens"] <= 8192
    assert 0 <= counts["completion_tokens"] <= 8192
    assert counts["total_tokens"] == counts["prompt_tokens"] + counts["completion_tokens"]


def test_browsers_on_other_sites_may_ask_without_cookies(live: Api) -> None:
    asked = {
        "Origin": "https://example.org",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-stainless-lang",
    }
    answer = live.client.options("/v1" + CHAT, headers=asked)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "x-stainless-lang" in answer.headers["Access-Control-Allow-Headers"]
    for answer in (live.get("/models"), live.client.get("/v1/models"), live.get("/nope")):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    exposed = answer.headers["Access-Control-Expose-Headers"].lower().split(", ")
    told = {name.lower() for name, _ in live.chat("hi", verbosity="low").headers if "limit" in name or name[0] == "x"}
    assert told <= set(exposed), told - set(exposed)


def test_request_ids_never_repeat_and_later_ones_sort_after_earlier_ones(live: Api) -> None:
    def asked() -> list[str]:
        return [live.get("/models").headers["x-request-id"] for _ in range(20)]

    first = asked()
    time.sleep(0.002)
    second = asked()
    assert all(re.fullmatch("req_[0-9a-f]{32}", id_) for id_ in first + second)
    assert len({*first, *second}) == 40
    assert max(first) < min(second)


def test_a_path_with_doubled_slashes_is_no_redirect_to_the_host_that_was_sent(live: Api) -> None:
    answer = live.client.get("/docs//quickstart", headers={"Host": "evil.example"})
    assert answer.status_code == 404
    assert "Location" not in answer.headers


def test_the_document_of_a_server_without_a_public_address_is_kept_by_no_shared_cache(live: Api) -> None:
    answer = live.client.get("/openapi.json", headers={"Host": "evil.example"})
    assert answer.headers["Cache-Control"] == "private, no-cache"


def test_strangers_who_ask_for_readiness_do_not_drive_ollama(live: Api, fake_ollama: FakeOllama) -> None:
    live.client.get("/readyz")
    asked = len(fake_ollama.requests(path="/api/version"))
    for _ in range(20):
        assert live.client.get("/readyz").status_code == 200
    assert len(fake_ollama.requests(path="/api/version")) <= asked + 1
