"""Every refusal of /v1 names a code of the list, and the field where one is to blame."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from llmrack import errors
from llmrack.billing import credits
from llmrack.errors import ERRORS, ApiError
from llmrack.inference.context import AppContext
from llmrack.keys import keys
from llmrack.keys.keys import Restrictions
from llmrack.wire import fields
from llmrack.wire.fields.rows import Bad, Field
from tests.blueprints.v1.conftest import Api
from tests.contract.api import opened
from tests.contract.field_rows import examples, rows
from tests.contract.test_fields import BASE, PATHS
from tests.support import made
from tests.support.fake_ollama import FakeOllama

ROOT = Path(__file__).parents[2]
HI = BASE["chat"]
NOW = datetime.now(UTC)
_names = count(1)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, fake_ollama: FakeOllama) -> Iterator[Flask]:
    yield from opened(tmp_path_factory.mktemp("codes"), fake_ollama)


@dataclass
class World:
    app: Flask
    context: AppContext

    def key(self, plan: str, mode: str = "live", **facts: Any) -> keys.Issued:
        """A key of a new account."""
        name = f"codes-{next(_names)}"
        made.account(self.context.store, name, NOW, self.context.plans.get(plan))
        return made.key(self.context.store, name="codes", mode=mode, account=name, **facts)

    def api(self, plan: str = "business", mode: str = "live", **facts: Any) -> Api:
        return Api(self.app.test_client(), self.key(plan, mode, **facts).secret)

    def revoked(self) -> Api:
        issued = self.key("free")
        keys.revoke(self.context.store, issued.key.account_id, issued.key.id, NOW, actor="tests")
        return Api(self.app.test_client(), issued.secret)

    def paused(self) -> Api:
        return self.api(paused_at=NOW)

    def frugal(self) -> Api:
        """A key that may spend a nano-dollar of much credit."""
        issued = self.key("payg", restrictions=Restrictions(nanousd_per_month=1))
        credits.grant(self.context.store, issued.key.account_id, 10**9, "welcome", "operator", NOW)
        return Api(self.app.test_client(), issued.secret)

    def disabled(self) -> Api:
        issued = self.key("free")
        made.disable(self.context.store, issued.key.account, NOW)
        return Api(self.app.test_client(), issued.secret)


@pytest.fixture(scope="module")
def world(app: Flask) -> World:
    return World(app, app.extensions["llmrack"])


@pytest.fixture(scope="module")
def api(world: World) -> Api:
    return world.api()


def failure(answer: TestResponse) -> tuple[int, str | None, str]:
    """(status, param, code) of an answer, whose code is one that the list has for its status and type."""
    error = answer.get_json()["error"]
    listed = {
        code
        for kind in ERRORS
        if (kind.status, kind.type) == (answer.status_code, error["type"])
        for code in kind.codes
    }
    assert error["code"] in listed, (answer.status_code, error)
    return answer.status_code, error["param"], error["code"]


# Anthropic's shape has neither a field nor a code; its sentences are tested beside its SDK.
CODED = [one for one in examples("bad", fields.ENDPOINTS) if one.values[0] != "messages"]
ROWS = [(endpoint, row) for endpoint, row in rows(fields.ENDPOINTS) if endpoint != "messages"]


@pytest.mark.parametrize(("endpoint", "row", "example"), CODED)
def test_a_bad_value_is_refused_with_its_field_and_a_code(api: Api, endpoint: str, row: Field, example: Bad) -> None:
    answer = api.post(PATHS[endpoint], {**BASE[endpoint], row.name: example.value, **example.beside})
    status, param, code = failure(answer)
    assert (status, param) == (400, row.name if example.param == "=" else example.param)
    assert code != "invalid_request"


VALUES: tuple[Any, ...] = (True, 7, -1.5, "x", "", [], [7], ["x"], [{}], [None], {}, {"x": 1})


@pytest.mark.parametrize(("endpoint", "row"), ROWS, ids=lambda value: getattr(value, "name", value))
def test_a_value_of_any_type_is_taken_or_refused_with_its_field_and_a_code(api: Api, endpoint: str, row: Field) -> None:
    for value in VALUES:
        answer = api.post(PATHS[endpoint], {**BASE[endpoint], "max_tokens": 1, row.name: value})
        if answer.status_code == 200:
            answer.close()
            continue
        status, param, code = failure(answer)
        assert status == 400, value
        assert param is not None, value
        assert param.split(".")[0].split("[")[0] == row.name, value
        assert code not in ("invalid_request", "invalid_json"), value
        if not isinstance(value, list | dict) and row.kind.schema.get("type") in ("boolean", "array", "object"):
            assert code == "invalid_type" or row.kind.schema["type"] == "boolean" and value is True


@pytest.mark.parametrize(("endpoint", "row"), ROWS, ids=lambda value: getattr(value, "name", value))
def test_a_required_field_that_is_absent_or_null_is_named_as_missing(api: Api, endpoint: str, row: Field) -> None:
    if row.is_required:
        absent = {name: value for name, value in BASE[endpoint].items() if name != row.name}
        for body in (absent, {**absent, row.name: None}):
            assert failure(api.post(PATHS[endpoint], body)) == (400, row.name, "missing_required_parameter")


LONG = "word " * 30_000
Ask = Callable[[World], TestResponse]


def chat(api: Api, **changes: Any) -> TestResponse:
    return api.post("/chat/completions", {**HI, **changes})


def said(prompt: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}]


REFUSALS: list[tuple[str, Ask, tuple[int, str | None, str]]] = [
    ("more choices", lambda w: chat(w.api(), n=2), (400, "n", "unsupported_value")),
    ("unknown model", lambda w: chat(w.api(), model="gpt-4o"), (400, "model", "model_not_found")),
    ("model of another kind", lambda w: chat(w.api(), model="nomic-embed"), (400, "model", "invalid_value")),
    ("too long", lambda w: chat(w.api(), messages=said(LONG)), (400, "messages", "context_length_exceeded")),
    (
        "too long by the model server's count",
        lambda w: chat(w.api(), messages=said("a,b;" * 5_000)),
        (400, "messages", "context_length_exceeded"),
    ),
    (
        "too long by the count of test mode",
        lambda w: chat(w.api(mode="test"), messages=said("a,b;" * 5_000)),
        (400, "messages", "context_length_exceeded"),
    ),
    (
        "an input too long by the count of test mode",
        lambda w: w.api(mode="test").post("/embeddings", {"model": "nomic-embed", "input": "a,b;" * 1_500}),
        (400, "input", "context_length_exceeded"),
    ),
    ("no such ability", lambda w: chat(w.api(), messages=[{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]}]),
     (400, "messages[0].content[0]", "unsupported_parameter")),
    ("not JSON", lambda w: w.api().post("/chat/completions", b"{"), (400, None, "invalid_json")),
    ("no object", lambda w: w.api().post("/embeddings", b"[]"), (400, None, "invalid_json")),
    ("a day that is none", lambda w: w.api().get("/usage?from=2026-02-30"), (400, "from", "invalid_value")),
    ("days in the wrong order", lambda w: w.api().get("/usage?from=2026-02-03&to=2026-02-01"),
     (400, "from", "invalid_value")),
    ("no key", lambda w: w.app.test_client().get("/v1/models"), (401, None, "invalid_api_key")),
    ("a key that is none", lambda w: Api(w.app.test_client(), "x").get("/models"), (401, None, "invalid_api_key")),
    ("a revoked key", lambda w: w.revoked().get("/models"), (401, None, "invalid_api_key")),
    ("an expired key", lambda w: w.api(expires_at=NOW - timedelta(days=1)).get("/models"),
     (401, None, "invalid_api_key")),
    ("a paused key", lambda w: w.paused().get("/models"), (401, None, "key_paused")),
    ("a disabled account", lambda w: w.disabled().get("/models"), (401, None, "account_disabled")),
    ("no credits", lambda w: chat(w.api("payg")), (402, None, "insufficient_credits")),
    ("a right that the key lacks", lambda w: chat(w.api(permissions=("models",))), (403, None, "permission_denied")),
    ("a model that the key is not for", lambda w: chat(w.api(restrictions=Restrictions(models=("mistral-7b",)))),
     (403, "model", "model_not_allowed")),
    ("an address that the key is not for", lambda w: chat(w.api(restrictions=Restrictions(addresses=("10.1.2.3/32",)))),
     (403, None, "address_not_allowed")),
    ("no such address", lambda w: w.api().get("/nope"), (404, None, "not_found")),
    ("no such model", lambda w: w.api().get("/models/nope"), (404, "model", "model_not_found")),
    ("no such request", lambda w: w.api().get("/requests/nope"), (404, "id", "request_not_found")),
    ("a wrong method", lambda w: w.api().get("/chat/completions"), (405, None, "method_not_allowed")),
    ("a large body", lambda w: w.api().post("/chat/completions", b" " * 10_485_761), (413, None, "request_too_large")),
    ("a packed body", lambda w: w.api().post("/chat/completions", b"x", {"Content-Encoding": "gzip"}),
     (415, None, "unsupported_encoding")),
    ("a key of few requests", lambda w: [chat(api) for api in [w.api(requests_per_minute=1)] for _ in "ab"][-1],
     (429, None, "requests_per_minute")),
    ("a monthly limit", lambda w: chat(w.frugal()), (402, None, "monthly_limit")),
    ("a small budget", lambda w: chat(w.api("free"), messages=said("word " * 11_000), model="mistral-7b"),
     (429, None, "tokens_per_day")),
    ("the model server fails", lambda w: chat(w.api(), messages=said("hi [[fault:500_html]]")),
     (502, None, "upstream_error")),
    ("the model is not there", lambda w: chat(w.api(), messages=said("hi [[fault:404_missing]]")),
     (502, None, "model_not_installed")),
    ("the model server is busy", lambda w: chat(w.api(), messages=said("hi [[fault:503_busy]]")),
     (502, None, "upstream_busy")),
]  # fmt: skip


@pytest.mark.parametrize(("ask", "expected"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_a_refusal_has_the_code_of_its_reason(world: World, ask: Ask, expected: tuple[int, str | None, str]) -> None:
    assert failure(ask(world)) == expected


@pytest.mark.parametrize("kind", [kind for kind in ERRORS if kind.status not in (405,)], ids=lambda kind: kind.__name__)
def test_a_rehearsed_failure_has_a_code(world: World, kind: type[ApiError]) -> None:
    answer = world.api(mode="test").chat(f"hi [test:error {kind.status}]")
    assert failure(answer) == (kind.status, None, kind.default_code)


def raised() -> Iterator[tuple[str, type[ApiError], str | None]]:
    """(place, class, code) of every place in the program that makes a failure with a code written there."""
    for folder in ("llmrack", "blueprints", "server"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
                kind = getattr(errors, name, None)
                if isinstance(node, ast.Call) and isinstance(kind, type) and issubclass(kind, ApiError):
                    code = next((word.value for word in node.keywords if word.arg == "code"), None)
                    if isinstance(code, ast.Constant):
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", kind, str(code.value)


def test_the_program_raises_no_code_that_its_class_does_not_list() -> None:
    assert [(place, code) for place, kind, code in raised() if code not in kind.codes] == []


def test_every_listed_code_is_sent_somewhere() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("llmrack", "blueprints", "server")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "errors.py" or path.parent.name != "llmrack"
    )
    defaults = {code for kind in ERRORS for code in (kind.default_code, kind.field_code)}
    listed = {code for kind in ERRORS for code in kind.codes}
    assert sorted(code for code in listed - defaults if f'"{code}"' not in sources) == []
    assert [kind for kind in ERRORS if kind.default_code not in kind.codes] == []


def test_the_table_of_codes_in_the_documentation_has_every_code_of_the_list(app: Flask) -> None:
    rows = [line.strip("| ").split(" | ") for line in app.test_client().get("/docs/errors.md").text.splitlines()]
    table = [(code.partition("`]")[0].strip("[`"), *rest) for code, *rest in rows if code.startswith("[`")]
    assert table == [(code, str(kind.status), when) for kind in ERRORS for code, when in kind.codes.items()]
