"""Tags: each filled from the data that the program runs on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from llmrack import catalog, settings
from llmrack.catalog import Catalog
from llmrack.docsite.facts import BadDocs
from llmrack.docsite.tags import expand
from tests.docsite.conftest import Write, facts


def without(*ids: str) -> Catalog:
    return Catalog(tuple(replace(m, enabled=m.enabled and m.id not in ids) for m in catalog.load().all))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at [[base_url]]/v1", "at https://llm.example.org/v1"),
        ("[[host]] [[version]]", "llm.example.org 1.2.3"),
        ("`[[model fast]]`", "`phi-3-mini`"),
        ("[[model embed dimensions]] and [[model embed context_tokens]]", "768 and 8k"),
        ("[[model tools num_ctx]], [[number tools num_ctx]]", "16,384, 16384"),
        ("[[models embeddings]]", "`nomic-embed`"),
        ("[[models vision]]", "none on this server"),
        ("[[plan free tokens_per_day]]", "10,000"),
        ("[[setting max_body_bytes]] [[setting port]]", "10,485,760 8000"),
        ("[[config json-ids]]", '["phi-3-mini", "mistral-7b", "llama-3.1-8b", "qwen-2.5-7b"]'),
        ("{{prompt}} ${KEY} [test:x] [a](b)", "{{prompt}} ${KEY} [test:x] [a](b)"),
        ("[[contact]]", "the operator of this server"),
    ],
)
def test_a_tag_becomes_what_the_data_says(text: str, expected: str) -> None:
    assert expand(text, facts(), "here") == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[nonsense]]", r"page\.md: unknown tag \[\[nonsense\]\]"),
        ("[[table nonsense]]", r"page\.md: .*cannot be filled"),
        ("[[model nonsense]]", "cannot be filled"),
        ("[[setting nonsense]]", "cannot be filled"),
        ("[[file nonsense.py]]", "no such snippet"),
        ("[[capture nonsense]]", "no such capture"),
        ("[[source nonsense]]", "cannot be filled"),
    ],
)
def test_a_tag_that_means_nothing_is_an_error_that_names_the_file(text: str, said: str) -> None:
    with pytest.raises(BadDocs, match=said):
        expand(text, facts(), "page.md")


def test_a_support_address_is_a_link() -> None:
    with_email = facts(settings=settings.load({}, {"support_email": "help@example.org"}))
    assert expand("[[contact]]", with_email, "") == "[help@example.org](mailto:help@example.org)"


def test_a_link_to_a_page_that_is_not_served_is_its_text() -> None:
    here = facts(has_path=lambda path: path == "/signup")
    text = expand("[[to /signup Sign up]], [[to /nowhere#x Go → there]]", here, "")
    assert text == "[Sign up](/signup), Go → there"


def test_a_role_falls_to_the_first_model_that_can_do_the_same() -> None:
    here = facts(catalog=without("phi-3-mini", "llama-3.1-8b"))
    assert expand("[[model fast]] [[model tools]]", here, "") == "mistral-7b mistral-7b"


def test_snippets_show_this_servers_address_and_models(tmp_path: Path) -> None:
    here = facts(catalog=without("phi-3-mini", "llama-3.1-8b"))
    text = here.localise('curl http://127.0.0.1:8000/v1 "phi-3-mini" "openai/llama-3.1-8b" phi-3-minimal')
    assert text == 'curl https://llm.example.org/v1 "mistral-7b" "openai/mistral-7b" phi-3-minimal'


def test_a_capture_shows_its_answer_and_where_it_came_from(write: Write) -> None:
    captured = {
        "request": {"method": "POST", "path": "/v1/x", "body": {"model": "phi-3-mini"}},
        "response": {"status": 200, "body": {"id": "c", "choices": 1}},
        "captured": {"at": "2026-01-02 03:04 UTC", "by": "test mode", "version": "0.1.0"},
    }
    here = write({"captures/x.json": json.dumps(captured)})
    assert expand("[[capture x]]", here, "") == (
        '```json\n{"id": "c", "choices": 1}\n```\n\n*Captured 2026-01-02 03:04 UTC from test mode, LLMRack 0.1.0.*'
    )
    assert expand("[[request x]]", here, "") == '```json\n{"model": "phi-3-mini"}\n```'


def test_a_long_stream_shows_its_beginning_and_its_end(write: Write) -> None:
    events = [str(number) for number in range(9)]
    captured = {"request": {}, "response": {"events": events}, "captured": {"at": "now", "by": "x", "version": "1"}}
    text = expand("[[capture x]]", write({"captures/x.json": json.dumps(captured)}), "")
    assert text.split("```")[1].split() == [
        "text", "data:", "0", "data:", "1", "data:", "2", "…", "data:", "7", "data:", "8",
    ]  # fmt: skip


def test_a_capture_that_was_never_recorded_stops_the_start(write: Write) -> None:
    with pytest.raises(BadDocs, match="never recorded"):
        expand("[[capture x]]", write({"captures/x.json": '{"request": {}}'}), "")


def test_configurations_of_tools_name_the_window_in_force() -> None:
    text = expand("[[config openclaw]]", facts(), "")
    assert 'id: "llama-3.1-8b", name: "Llama 3.1 8B", contextWindow: 16384, maxTokens: 4096' in text
