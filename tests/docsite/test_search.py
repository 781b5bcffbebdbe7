"""Search: the section that has the words, headings first."""

from __future__ import annotations

import gzip
import json
import time

import pytest

from llmrack.docsite import site
from llmrack.docsite.search import Index
from tests.docsite.conftest import facts


@pytest.fixture(scope="module")
def index() -> Index:
    return site.load(facts()).index


@pytest.mark.parametrize(
    ("query", "url"),
    [
        ("embeddings", "/docs/quickstart#embeddings"),
        ("rate limits", "/docs/quickstart#rate-limits"),
        ("tokens_per_day", "/docs/errors#tokens_per_day"),
        ("openclaw", "/docs/integrations/openclaw"),
        ("llamaindex", "/docs/integrations/llamaindex"),
        ("LLMRACK_REDIS_URL", "/docs/self-hosting#settings"),
        ("LLMRACK_LOG_LEVEL", "/docs/self-hosting#settings"),
        ("STRUCTURED outputs", "/docs/quickstart#structured-outputs"),
    ],
)
def test_a_word_finds_its_section_among_the_first_three(index: Index, query: str, url: str) -> None:
    assert url in [result.entry.url for result in index.find(query)[:3]]


def test_every_word_must_occur(index: Index) -> None:
    assert index.find("streaming xylophone") == []
    assert index.find("  ") == []


def test_a_result_shows_the_words_around_the_first_hit(index: Index) -> None:
    result = next(result for result in index.find("SHA-256") if result.match)
    assert result.match.lower() == "sha-256"
    assert result.before
    assert result.after


def test_the_index_is_small_and_searching_it_is_quick(index: Index) -> None:
    size = len(gzip.compress(json.dumps(index.plain()).encode()))
    started = time.perf_counter()
    for _ in range(20):
        index.find("stream tokens")
    each_ms = (time.perf_counter() - started) / 20 * 1000
    print(f"search index {size} bytes compressed, {each_ms:.2f} ms a query")
    assert size < 60_000
    assert each_ms < 50
