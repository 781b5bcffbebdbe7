"""What Ollama's clients learn about the models, and what no key may do to them."""

from __future__ import annotations

import pytest

from llmrack.catalog import full_tag
from llmrack.inference.context import AppContext
from tests.blueprints.ollama_api.conftest import OllamaApi


def test_tags_lists_the_models_under_names_that_lead_back_to_them(ollama: OllamaApi, context: AppContext) -> None:
    listed = ollama.get("/tags").get_json()["models"]
    assert len({model["name"] for model in listed}) == len(context.catalog.ids) == len(listed)
    for entry, model in zip(listed, context.catalog, strict=True):
        assert entry["name"] == entry["model"]
        assert entry["name"] in (full_tag(model.ollama), model.id)
        assert len(entry["digest"]) == 64
        assert entry["details"]["parameter_size"] == model.parameters
        shown = ollama.post("/show", {"model": entry["name"]}).get_json()
        assert shown["capabilities"] == entry["capabilities"]
        assert shown["model_info"][f"{model.family}.context_length"] == model.num_ctx


def test_show_takes_the_older_field_too(ollama: OllamaApi) -> None:
    shown = ollama.post("/show", {"name": "phi3:mini"}).get_json()
    assert shown["details"]["family"] == "phi3"
    assert shown["capabilities"] == ["completion"]


def test_a_key_for_some_models_sees_only_those(limited: OllamaApi) -> None:
    assert [model["name"] for model in limited.get("/tags").get_json()["models"]] == ["llama3.1:8b"]


def test_ps_lists_what_is_in_memory_with_the_window_in_force(ollama: OllamaApi, rehearsed: OllamaApi) -> None:
    assert ollama.chat("hi", stream=False).status_code == 200
    loaded = {model["name"]: model["context_length"] for model in ollama.get("/ps").get_json()["models"]}
    assert set(loaded) <= {model["name"] for model in ollama.get("/tags").get_json()["models"]}
    assert loaded.get("phi3:mini", 8192) == 8192
    assert rehearsed.get("/ps").get_json() == {"models": []}


def test_version_is_that_of_the_api_and_needs_a_key(ollama: OllamaApi) -> None:
    assert ollama.get("/version").get_json()["version"].count(".") == 2
    assert ollama.api.client.get("/api/version").status_code == 401


def test_looking_at_models_costs_no_request(rehearsed: OllamaApi) -> None:
    before = rehearsed.get("/tags").headers["x-ratelimit-remaining-requests"]
    assert rehearsed.post("/show", {"model": "phi3:mini"}).headers["x-ratelimit-remaining-requests"] == before


MANAGING = [
    ("POST", "/api/pull"),
    ("POST", "/api/push"),
    ("POST", "/api/create"),
    ("POST", "/api/copy"),
    ("DELETE", "/api/delete"),
    ("HEAD", "/api/blobs/sha256:0"),
    ("POST", "/api/blobs/sha256:0"),
    ("POST", "/api/me"),
    ("POST", "/api/signout"),
]


@pytest.mark.parametrize(("method", "path"), MANAGING)
def test_no_key_manages_the_server(ollama: OllamaApi, method: str, path: str) -> None:
    client = ollama.api.client
    answer = client.open(path, method=method, headers=ollama.api.headers(), json={"model": "phi3:mini"})
    assert answer.status_code == 403
    if method != "HEAD":
        assert "operator" in answer.get_json()["error"]
    assert client.open(path, method=method).status_code == 401


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/nope"), ("GET", "/api/chat"), ("POST", "/api/chat/")])
def test_what_is_not_served_is_one_sentence_too(ollama: OllamaApi, method: str, path: str) -> None:
    answer = ollama.api.client.open(path, method=method, headers=ollama.api.headers())
    assert answer.status_code in (404, 405)
    assert isinstance(answer.get_json()["error"], str)
    assert answer.headers["x-ratelimit-limit-requests"]


def test_browsers_of_other_sites_may_ask(ollama: OllamaApi) -> None:
    answer = ollama.api.client.options("/api/chat", headers={"Origin": "https://a.example"})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
