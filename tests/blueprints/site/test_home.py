"""The front page's demo, the models page and the state of the server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask

from blueprints.site import ollama_status
from llmrack.catalog import full_tag
from llmrack.inference.context import AppContext
from llmrack.inference.demo import LONGEST_PROMPT, MOST_TOKENS, PER_ADDRESS
from tests.blueprints.v1.conftest import make_app
from tests.support.fake_ollama import FakeOllama
from tests.support.visitor import Visitor

STREAM = {"Accept": "text/event-stream"}


def test_the_demo_streams_as_the_api_does(visitor: Visitor) -> None:
    answer = visitor.send("/try", {"prompt": "Count from 1 to 5"}, STREAM)
    assert answer.headers["x-llmrack-mode"] == "test"
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks[:-1]) == "Here it goes: 1, 2, 3, 4, 5."


def test_the_demo_has_a_limit_of_its_own_by_address(visitor: Visitor, another: object) -> None:
    statuses = [visitor.send("/try", {"prompt": "hi"}, STREAM).status_code for _ in range(PER_ADDRESS.tries + 1)]
    assert statuses == [200] * PER_ADDRESS.tries + [429]
    refused = visitor.send("/try", {"prompt": "hi"}, STREAM)
    assert int(refused.headers["Retry-After"]) > 0
    assert "key of your own" in refused.text
    assert another().send("/try", {"prompt": "hi"}, STREAM).status_code == 200  # type: ignore[operator]


def test_the_demo_answers_at_most_so_much_and_takes_at_most_so_much(visitor: Visitor) -> None:
    long = visitor.send("/try", {"prompt": "Fill the page [test:long 5000]"}, STREAM)
    assert f'"completion_tokens":{MOST_TOKENS}' in long.text
    for prompt in ("", "x" * (LONGEST_PROMPT + 1)):
        assert visitor.send("/try", {"prompt": prompt}, STREAM).status_code == 400


def test_a_failure_of_the_demo_is_a_status_before_and_an_event_after_the_first_byte(visitor: Visitor) -> None:
    refused = visitor.send("/try", {"prompt": "x [test:error 502]"}, {"Accept": "text/event-stream, application/json"})
    assert refused.status_code == 502
    broken = visitor.send("/try", {"prompt": "Tell me a story [test:error mid-stream]"}, STREAM)
    assert broken.status_code == 200
    assert '"finish_reason":"error"' in broken.text
    assert "[DONE]" not in broken.text


def test_the_demo_leaves_no_cookie_and_no_usage(visitor: Visitor, context: AppContext) -> None:
    page = visitor.send("/try", {"prompt": "Count from 1 to 5"})
    assert "1, 2, 3, 4, 5" in page.text
    assert "Set-Cookie" not in page.headers


def test_the_models_page_knows_what_is_installed_and_what_is_loaded(tmp_path: Path, fake_ollama: FakeOllama) -> None:
    app = make_app(tmp_path, fake_ollama)
    context: AppContext = app.extensions["llmrack"]
    try:
        state = ollama_status.models(context)
        assert {state.of(model) for model in context.catalog} <= {"installed", "loaded"}
        assert app.test_client().get("/status.json").json["status"] == "ok"
        page = app.test_client().get("/models", headers={"Accept": "text/html"}).text
        assert all(f'<code id="id-{model.id}">' in page for model in context.catalog)
    finally:
        context.engines.live.close()
        context.store.engine.dispose()


def test_without_a_model_server_the_pages_say_so(app: Flask, visitor: Visitor) -> None:
    assert visitor.get("/status.json").json == {
        "status": "degraded",
        "database": "ok",
        "ollama": "unavailable",
        "models": dict.fromkeys(app.extensions["llmrack"].catalog.ids, "unknown"),
    }
    for path in ("/models", "/status"):
        assert "No model server answers" in visitor.get(path).text


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("phi3:mini", "phi3:mini"),
        ("Nomic-Embed-Text", "nomic-embed-text:latest"),
        ("hf.co:443/org/Model", "hf.co:443/org/model:latest"),
    ],
)
def test_names_of_ollama_are_compared_as_it_compares_them(name: str, full: str) -> None:
    assert full_tag(name) == full


def test_the_icon_is_where_tools_look_for_it(visitor: Visitor) -> None:
    with visitor.get("/favicon.ico") as icon:
        assert (icon.status_code, icon.mimetype) == (200, "image/svg+xml")


def test_one_stylesheet_and_one_script_serve_a_page_for_a_year(visitor: Visitor) -> None:
    page = visitor.get("/docs/quickstart").text
    urls = [part.split('"')[0] for part in page.split('"/assets/')[1:]]
    assert len(urls) == 2
    for url in urls:
        reply = visitor.get(f"/assets/{url}", **{"Accept-Encoding": "gzip"})
        assert reply.headers["Content-Encoding"] == "gzip"
        assert "immutable" in reply.headers["Cache-Control"]
    for wrong in (
        "/assets/css/../app",
        "/assets/css/nothing",
        "/assets/py/base",
        "/assets/css/" + "base+" * 9 + "base",
    ):
        assert visitor.get(wrong).status_code == 404
