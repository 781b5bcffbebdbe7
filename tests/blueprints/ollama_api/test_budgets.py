"""Budgets hold on Ollama's own API as on /v1: the last line says what was used, and that it was cut."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from flask import Flask

from llmrack.inference.context import AppContext
from tests.blueprints.ollama_api.conftest import OllamaApi, lines
from tests.blueprints.v1.conftest import Api, issue
from tests.support import made

_names = count(1)
LONG = "[[tokens:2000]] a long story, please"
ASKS: list[tuple[str, dict[str, Any]]] = [
    ("/chat", {"messages": [{"role": "user", "content": LONG}]}),
    ("/generate", {"prompt": LONG, "system": "Tell it all."}),
    ("/generate", {"prompt": LONG, "raw": True}),
]


@pytest.fixture
def tight(app: Flask, context: AppContext) -> OllamaApi:
    name = f"tight-{next(_names)}"
    made.account(context.store, name, datetime.now(UTC), context.plans.get("free"))
    return OllamaApi(Api(app.test_client(), issue(context, name, "live", tokens_per_day=900)))


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("path", "body"), ASKS, ids=["chat", "generate", "raw"])
def test_an_answer_ends_with_length_at_the_last_token_of_the_day(
    tight: OllamaApi, path: str, body: dict[str, Any], *, stream: bool
) -> None:
    said = lines(tight.post(path, {"model": "phi3:mini", "stream": stream, **body}))
    last = said[-1]
    assert (last["done"], last["done_reason"]) == (True, "length")
    assert last["prompt_eval_count"] + last["eval_count"] == 900
    assert any(line.get("response") or line.get("message", {}).get("content") for line in said)
    refused = tight.chat("hi")
    assert refused.status_code == 429
    assert list(refused.get_json()) == ["error"]
    assert refused.headers["x-should-retry"] == "false"
    # No model is touched, so nothing is left to refuse.
    assert tight.chat("", messages=[]).status_code == 200
