"""What nobody would send: made-up requests and raw bytes, against the running application."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmrack.inference.context import AppContext
from tests.blueprints.v1.conftest import Api, issue
from tests.contract import fuzzing
from tests.contract.api import opened
from tests.support import made
from tests.support.fake_ollama import FakeOllama
from tests.wire.test_properties import requests, values

CASES = 5
PATHS = ("/chat/completions", "/responses", "/messages", "/completions", "/embeddings")


@pytest.mark.timeout(300)
def test_made_up_requests_find_nothing_the_document_does_not_promise(tmp_path: Path) -> None:
    with fuzzing.serving(tmp_path) as (server, key):
        assert fuzzing.run(server, key, tmp_path, CASES, seed=1) is None
        assert '"level": "error"' not in server.logs()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, fake_ollama: FakeOllama) -> Iterator[Flask]:
    yield from opened(tmp_path_factory.mktemp("instance"), fake_ollama)


@pytest.fixture(scope="module")
def api(app: Flask) -> Api:
    context: AppContext = app.extensions["llmrack"]
    account = made.account(context.store, "roomy", datetime.now(UTC), context.plans.get("business"))
    return Api(app.test_client(), issue(context, account.name, "test"))


def is_answered_properly(api: Api, path: str, raw: bytes) -> None:
    """400 in the envelope, or a success; a stream is read to its end."""
    answer = api.post(path, raw)
    assert answer.status_code in (200, 400), (path, raw, answer.get_data())
    assert answer.headers["x-request-id"]
    if answer.status_code == 400:
        error = answer.get_json()["error"]
        assert set(error) == ({"message", "type"} if path == "/messages" else {"message", "type", "param", "code"})
        assert error["type"] == "invalid_request_error"
        assert error["message"]


PLENTY = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@PLENTY
@given(raw=st.binary(max_size=300), path=st.sampled_from(PATHS))
def test_raw_bytes_are_answered_in_the_envelope(api: Api, raw: bytes, path: str) -> None:
    is_answered_properly(api, path, raw)


@PLENTY
@given(value=values, path=st.sampled_from(PATHS), request=requests)
def test_any_json_is_answered_in_the_envelope(api: Api, value: Any, path: str, request: dict[str, Any]) -> None:
    is_answered_properly(api, path, json.dumps(value).encode())
    is_answered_properly(api, path, json.dumps({**request, "tools": value, "stop": value}).encode())


HI = b'"messages": [{"role": "user", "content": "hi"}], "prompt": "hi", "input": "hi"'


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "odd",
    [
        b'"metadata": ' + b"[" * 60_000 + b"]" * 60_000,
        b'"metadata": {"a": ' * 3000 + b"1" + b"}" * 3000,
        b'"seed": ' + b"9" * 100_000,
        b'"seed": 1e400',
        b'"temperature": NaN',
        b'"temperature": -Infinity',
        b'"user": "\\ud800"',
        b'"user": "\\u0000"',
        b'"user": "\x00"',
        b'"user": "\xff"',
        b'"user": "a", "user": "b"',
        b'"model": "phi-3-mini"',
        b'"stop": ' + b'["' + b'", "'.join([b"x"] * 10_000) + b'"]',
        b'"tools": [' + b", ".join([b"{}"] * 10_000) + b"]",
        b'"logit_bias": {' + b", ".join(b'"%d": 1' % n for n in range(10_000)) + b"}",
    ],
    ids=lambda odd: odd[:30].decode("ascii", "replace"),
)
def test_hostile_json_is_answered_in_the_envelope(api: Api, path: str, odd: bytes) -> None:
    model = b"nomic-embed" if path == "/embeddings" else b"llama-3.1-8b"
    is_answered_properly(api, path, b'{"model": "%s", %s, %s}' % (model, HI, odd))
