"""The application of /v1's tests, asked as Ollama's clients ask."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from llmrack.inference.context import AppContext
from llmrack.keys.keys import Restrictions
from tests.blueprints.v1.conftest import (
    Api,
    app,  # noqa: F401 # a fixture
    context,  # noqa: F401
    issue,
    live,  # noqa: F401
    roomy_account,  # noqa: F401
    test_mode,  # noqa: F401
)


@dataclass
class OllamaApi:
    """/api with the key of an `Api`."""

    api: Api

    def post(self, path: str, body: Any) -> TestResponse:
        return self.api.client.post(f"/api{path}", json=body, headers=self.api.headers())

    def get(self, path: str) -> TestResponse:
        return self.api.client.get(f"/api{path}", headers=self.api.headers())

    def chat(self, prompt: str, **fields: Any) -> TestResponse:
        return self.post("/chat", {"model": "phi3:mini", "messages": [{"role": "user", "content": prompt}]} | fields)


def lines(answer: TestResponse) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.get_data().splitlines()]


@pytest.fixture
def ollama(live: Api) -> OllamaApi:  # noqa: F811
    return OllamaApi(live)


@pytest.fixture
def rehearsed(test_mode: Api) -> OllamaApi:  # noqa: F811
    return OllamaApi(test_mode)


@pytest.fixture
def limited(app: Flask, context: AppContext, roomy_account: str) -> OllamaApi:  # noqa: F811
    """With a key for one model."""
    own = Restrictions(models=("llama-3.1-8b",))
    return OllamaApi(Api(app.test_client(), issue(context, roomy_account, "live", restrictions=own)))
