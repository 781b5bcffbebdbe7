"""GET /v1/models."""

from __future__ import annotations

import pytest

from llmrack import catalog, money
from llmrack.wire import models


def test_the_list_has_the_models_on_offer_by_their_plain_ids() -> None:
    listing = models.listing(catalog.load())
    assert listing["object"] == "list"
    assert [row["id"] for row in listing["data"]] == [
        "phi-3-mini",
        "mistral-7b",
        "llama-3.1-8b",
        "qwen-2.5-7b",
        "nomic-embed",
    ]
    assert all(row["object"] == "model" and row["owned_by"] == "llmrack" for row in listing["data"])


def test_a_model_shows_the_window_in_force_and_what_it_costs() -> None:
    model = catalog.load().get("phi-3-mini")
    assert model is not None
    row = models.one(model)
    assert (row["context_length"], row["context_window"], row["max_output_tokens"]) == (8192, 131072, 8192)
    assert row["pricing"] == {
        "currency": "USD",
        "input_per_million": "0.04",
        "output_per_million": "0.04",
        "input_nanousd_per_token": 40,
        "output_nanousd_per_token": 40,
    }


@pytest.mark.parametrize(
    ("nanousd", "text"), [(40, "0.04"), (100, "0.10"), (0, "0.00"), (125, "0.125"), (12340, "12.34"), (1000, "1.00")]
)
def test_prices_are_written_with_two_digits_or_as_many_as_they_need(nanousd: int, text: str) -> None:
    assert money.usd_per_million(nanousd) == text
