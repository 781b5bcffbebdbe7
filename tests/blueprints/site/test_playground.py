"""The playground's server side: a signed-in user names a key, and everything about that key still holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from llmrack.accounts import people
from llmrack.inference.context import AppContext
from llmrack.keys import keys
from llmrack.keys.keys import KeyFacts
from llmrack.store.tables.usage import Usage
from tests.support.shops import close, make_app
from tests.support.visitor import Visitor, make_person

BODY = {"model": "phi-3-mini", "messages": [{"role": "user", "content": "Count from 1 to 5"}]}
API = {"Accept": "application/json", "Content-Type": "application/json"}


def key_of(context: AppContext, email: str) -> KeyFacts:
    person = people.find(context.store, email)
    assert person is not None
    return keys.of_account(context.store, person.account_id, datetime.now(UTC))[0]


def ask(visitor: Visitor, key_id: object, body: Any = BODY, **headers: str) -> TestResponse:
    """As the page's script does: the key by its id, the form's token in a header."""
    sent = {**API, "X-LLMRack-Key-Id": str(key_id), "X-CSRFToken": visitor.token("/playground"), **headers}
    return visitor.client.post(
        "/playground/chat/completions", data=json.dumps(body), headers=sent, environ_overrides=visitor.environ
    )


def test_keys_are_offered_by_name_to_who_owns_them(member: Visitor) -> None:
    member.key(name="laptop")
    page = member.get("/playground")
    assert "laptop (test, rl_test_" in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_a_visitor_is_offered_no_keys(visitor: Visitor) -> None:
    page = visitor.get("/playground")
    assert 'name="key_id"' not in page.text
    assert "Set-Cookie" not in page.headers


def test_an_answer_counts_on_the_key_that_was_named(member: Visitor, context: AppContext, email: str) -> None:
    member.key()
    key = key_of(context, email)
    answer = ask(member, key.id)
    assert answer.status_code == 200
    assert "1, 2, 3, 4, 5" in answer.json["choices"][0]["message"]["content"]
    assert answer.headers["x-llmrack-mode"] == "test"
    assert int(answer.headers["X-RateLimit-Remaining"]) == int(answer.headers["X-RateLimit-Limit"]) - 1
    with context.store.read() as connection:
        rows = connection.execute(select(Usage.outcome).where(Usage.key_id == key.id)).all()
    assert rows == [("completed",)]


def test_an_answer_streams(member: Visitor, context: AppContext, email: str) -> None:
    member.key()
    answer = ask(member, key_of(context, email).id, {**BODY, "stream": True})
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert answer.text.endswith("data: [DONE]\n\n")


def test_a_paused_key_is_refused_in_the_envelope(member: Visitor, context: AppContext, email: str) -> None:
    member.key()
    key = key_of(context, email)
    member.post(f"/dashboard/keys/{key.id}/pause")
    answer = ask(member, key.id)
    assert (answer.status_code, answer.json["error"]["code"]) == (401, "key_paused")
    assert f'value="{key.id}"' not in member.get("/playground").text


def test_a_key_without_the_permission_is_neither_offered_nor_obeyed(
    member: Visitor, context: AppContext, email: str
) -> None:
    member.key(permissions=["embeddings"])
    key = key_of(context, email)
    assert f'value="{key.id}"' not in member.get("/playground").text
    assert ask(member, key.id).json["error"]["code"] == "permission_denied"


def test_somebody_elses_key_does_not_exist(
    member: Visitor, context: AppContext, email: str, another: Any, app: Any
) -> None:
    member.key()
    other = another()
    make_person(app, f"other-{email}")
    other.sign_in(f"other-{email}")
    other.key()
    answer = ask(other, key_of(context, email).id)
    assert (answer.status_code, answer.json["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("key_id", ["1", "x", "1 or 1=1", "٣"])
def test_without_a_session_no_key_can_be_named(visitor: Visitor, key_id: str) -> None:
    visitor.get("/login")
    sent = {**API, "X-LLMRack-Key-Id": key_id.encode().decode("latin-1"), "X-CSRFToken": visitor.token("/login")}
    answer = visitor.client.post("/playground/chat/completions", data=json.dumps(BODY), headers=sent)
    assert answer.status_code == 401


def test_another_site_cannot_use_the_session(member: Visitor, context: AppContext, email: str) -> None:
    member.key()
    key = key_of(context, email)
    assert ask(member, key.id, **{"X-CSRFToken": "wrong"}).status_code == 403
    assert ask(member, key.id, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_no_key_at_all_is_a_401(visitor: Visitor) -> None:
    answer = visitor.client.post("/playground/chat/completions", data=json.dumps(BODY), headers=API)
    assert (answer.status_code, answer.json["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"temperature": "hot"}, "temperature must be a number"),
        ({"format": "json_schema", "schema": "{"}, "schema is not JSON"),
        ({"tools": "[1"}, "tools is not JSON"),
        ({"max_tokens": "0"}, "max_tokens must be at least 1"),
        ({"model": "gpt-4o"}, "Unknown model"),
    ],
)
def test_a_form_that_does_not_read_says_why_and_keeps_what_was_typed(
    member: Visitor, context: AppContext, email: str, fields: dict[str, str], said: str
) -> None:
    member.key()
    form = {"key_id": key_of(context, email).id, "model": "phi-3-mini", "prompt": "hi there", "system": "Be brief."}
    page = member.post("/playground", {**form, **fields}, page="/playground")
    assert page.status_code == 400
    assert said in page.text
    assert "Be brief." in page.text


def test_a_form_with_everything_is_answered(member: Visitor, context: AppContext, email: str) -> None:
    member.key()
    form = {
        "key_id": key_of(context, email).id, "model": "llama-3.1-8b", "prompt": "Weather in Paris?", "system": "x",
        "temperature": "0.5", "top_p": "0.9", "max_tokens": "50", "seed": "7", "stop": "a\nb",
        "tools": '[{"type": "function", "function": {"name": "get_weather", "parameters": '
        '{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]',
        "tool_choice": "required",
    }  # fmt: skip
    page = member.post("/playground", form, page="/playground")
    assert page.status_code == 200
    assert "get_weather(" in page.text


def test_the_answer_is_escaped(member: Visitor, context: AppContext, email: str) -> None:
    member.key()
    form = {"key_id": key_of(context, email).id, "model": "phi-3-mini", "prompt": "Say <img src=x onerror=alert(1)>"}
    assert "<img src=x" not in member.post("/playground", form, page="/playground").text


VISION = "[models.llava-7b]\nenabled = true\n"


@pytest.fixture
def seeing(tmp_path: Path) -> Iterator[Flask]:
    """A server that fetches images by URL, with a model that looks at them."""
    (tmp_path / "models.toml").write_text(VISION, encoding="utf-8")
    (tmp_path / "plans.toml").write_text("[plans.free]\ntest_requests_per_minute = 10\n", encoding="utf-8")
    app = make_app(tmp_path, image_urls=True)
    yield app
    close(app)


def image(url: str) -> dict[str, Any]:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    return {"model": "llava-7b", "messages": [{"role": "user", "content": parts}]}


def test_a_refusal_says_the_same_here_and_at_the_api(seeing: Flask) -> None:
    make_person(seeing, "ada@example.com")
    ada = Visitor(seeing)
    ada.sign_in("ada@example.com")
    secret = ada.key()
    key = key_of(seeing.extensions["llmrack"], "ada@example.com")
    csrf = ada.token("/playground")
    here = {"X-LLMRack-Key-Id": str(key.id), "X-CSRFToken": csrf}
    there = {"Authorization": f"Bearer {secret}"}
    bodies = [
        json.dumps(image("https://127.0.0.1/cat.png")),
        json.dumps(image("http://example.org/cat.png")),
        json.dumps({**BODY, "temperature": 9}),
        json.dumps({**BODY, "model": "gpt-4o"}),
        "{",
        json.dumps({**BODY, "messages": [{"role": "user", "content": "hi"}]}),
    ]

    def post(path: str, body: str, headers: dict[str, str]) -> TestResponse:
        return ada.client.post(path, data=body, headers={**API, **headers})

    # Each is a request of its own, and the plan has ten a minute.
    for body in bodies[:5]:
        mine, api = post("/playground/chat/completions", body, here), post("/v1/chat/completions", body, there)
        assert (mine.status_code, mine.json) == (api.status_code, api.json)
        assert mine.status_code == 400
        ours = {"Access-Control-Allow-Origin", "Access-Control-Expose-Headers"}
        assert {name for name, _ in api.headers} - ours <= {name for name, _ in mine.headers}
        assert int(mine.headers["x-ratelimit-remaining-requests"]) > int(api.headers["x-ratelimit-remaining-requests"])
    refused = post("/playground/chat/completions", bodies[5], here)
    assert (refused.status_code, refused.json["error"]["code"]) == (429, "requests_per_minute")
    for name in ("Retry-After", "x-llmrack-mode", "x-ratelimit-limit-tokens", "X-RateLimit-Reset"):
        assert name in refused.headers
    page = ada.post("/playground", {"key_id": key.id, "model": "phi-3-mini", "prompt": "hi"}, page="/playground")
    assert (page.status_code, page.mimetype) == (429, "text/html")
    assert "requests a minute of this plan are used up" in page.text
    assert int(page.headers["Retry-After"]) > 0


def test_a_refusal_is_the_envelope_also_for_a_client_that_likes_pages(
    member: Visitor, context: AppContext, email: str
) -> None:
    member.key()
    answer = ask(member, key_of(context, email).id, {**BODY, "model": "gpt-4o"}, Accept="text/html")
    assert (answer.status_code, answer.json["error"]["param"]) == (400, "model")
