"""Keys: the secret is in one answer, and changes hold for the API from the next request on."""

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from llmrack.accounts import people
from llmrack.inference.context import AppContext
from llmrack.keys import key_format, keys
from llmrack.keys.keys import KeyFacts
from tests.support.visitor import Visitor

FORM = {"name": "laptop", "mode": "test", "permissions": ["all"], "expiry": ""}


def owned(context: AppContext, email: str) -> list[KeyFacts]:
    person = people.find(context.store, email)
    assert person is not None
    return keys.of_account(context.store, person.account_id, datetime.now(UTC))


def ask(app: Flask, secret: str, address: str = "127.0.0.1", model: str = "phi-3-mini") -> TestResponse:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"Authorization": f"Bearer {secret}"}
    return app.test_client().post(
        "/v1/chat/completions", json=body, headers=headers, environ_overrides={"REMOTE_ADDR": address}
    )


def test_the_secret_is_in_the_answer_that_made_it_and_nowhere_else(
    member: Visitor, context: AppContext, email: str
) -> None:
    page = member.post("/dashboard/keys", FORM)
    secret = re.search(r"rl_test_\w{49}", page.text)
    assert secret is not None
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    assert page.text.count(f"LLMRACK_API_KEY={secret[0]}") == 1
    assert f"Authorization: Bearer {secret[0]}" in page.text.replace("&#34;", '"')
    for path in ("/dashboard", "/dashboard/keys", f"/dashboard/keys/{owned(context, email)[0].id}", "/dashboard/usage"):
        assert secret[0] not in member.get(path).text
    cookie = member.client.get_cookie("llmrack")
    assert cookie is not None
    assert secret[0] not in cookie.value
    with context.store.read() as connection:
        dump = "\n".join(connection.connection.dbapi_connection.iterdump())  # type: ignore[union-attr]
    assert secret[0] not in dump
    assert key_format.digest(secret[0]) in dump


def test_the_command_of_the_dialog_runs_as_it_stands(app: Flask, member: Visitor) -> None:
    page = member.post("/dashboard/keys", FORM)
    command = re.search(r'<code id="example">(.*?)</code>', page.text, re.DOTALL)
    assert command is not None
    text = command[1].replace("&#34;", '"').replace("&#39;", "'")
    data = re.search(r"-d '(.*)'", text, re.DOTALL)
    bearer = re.search(r'Authorization: (Bearer \w+)"', text)
    assert data is not None
    assert bearer is not None
    answer = app.test_client().post(
        "/v1/chat/completions",
        data=data[1],
        headers={"Authorization": bearer[1], "Content-Type": "application/json"},
    )
    assert answer.status_code == 200
    assert answer.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("permissions", "models", "path"),
    [
        (["all"], [], "/chat/completions"),
        (["embeddings"], [], "/embeddings"),
        (["inference"], ["nomic-embed"], "/models"),
        (["models"], [], "/models"),
        (["usage"], [], "/usage"),
        (["all"], ["mistral-7b"], "mistral-7b"),
    ],
)
def test_the_first_request_fits_what_the_key_may_do(
    member: Visitor, permissions: list[str], models: list[str], path: str
) -> None:
    page = member.post("/dashboard/keys", FORM | {"permissions": permissions, "models": models})
    example = re.search(r'<code id="example">(.*?)</code>', page.text, re.DOTALL)
    assert example is not None
    assert path in example[1]


def test_everything_the_form_asks_arrives(member: Visitor, context: AppContext, email: str) -> None:
    day = (datetime.now(UTC) + timedelta(days=10)).date()
    member.post(
        "/dashboard/keys",
        {
            "name": "n8n", "mode": "live", "permissions": ["inference", "usage"], "expiry": "on",
            "expires_on": day.isoformat(), "models": ["phi-3-mini", "mistral-7b"], "requests_per_minute": "7",
            "tokens_per_day": "5000", "usd_per_month": "$2.50", "addresses": "10.0.0.7, 2001:db8::/32",
        },
    )  # fmt: skip
    key = owned(context, email)[0]
    assert (key.name, key.mode, key.permissions) == ("n8n", "live", ("inference", "usage"))
    assert key.expires_at == datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    own = key.restrictions
    assert (own.requests_per_minute, own.tokens_per_day, own.nanousd_per_month) == (7, 5000, 2_500_000_000)
    assert own.models == ("phi-3-mini", "mistral-7b")
    assert own.addresses == ("10.0.0.7/32", "2001:db8::/32")
    page = member.get("/dashboard/keys").text
    for text in ("7 requests/min", "5,000 tokens/day", "$2.50/month", "only phi-3-mini, mistral-7b", "10.0.0.7/32"):
        assert text in page


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": ""}, "Give the key a name"),
        ({"name": "x" * 101}, "longer than 100"),
        ({"name": "a\nb"}, "Leave out line breaks"),
        ({"mode": "other"}, "Not a valid choice"),
        ({"permissions": []}, "Choose at least one permission"),
        ({"permissions": ["everything"]}, "not a valid choice"),
        ({"expiry": "on"}, "Enter the last day"),
        ({"expiry": "on", "expires_on": "2020-01-01"}, "Choose a day from today"),
        ({"expiry": "on", "expires_on": "tomorrow"}, "Not a valid date"),
        ({"requests_per_minute": "0"}, "At least 1."),
        ({"requests_per_minute": "many"}, "Not a valid integer"),
        ({"usd_per_month": "much"}, "Enter dollars such as"),
        ({"usd_per_month": "0"}, "Enter more than nothing"),
        ({"models": ["gpt-9"]}, "not a valid choice"),
        ({"addresses": "example.com"}, "is not an address or network"),
    ],
)
def test_what_a_key_cannot_be_is_said_beside_the_field_and_makes_none(
    member: Visitor, context: AppContext, email: str, fields: dict[str, object], sentence: str
) -> None:
    page = member.post("/dashboard/keys", FORM | fields)
    assert page.status_code == 400
    assert sentence in page.text.replace("&#39;", "'")
    assert owned(context, email) == []


def test_a_name_with_markup_stays_text(member: Visitor) -> None:
    member.post("/dashboard/keys", FORM | {"name": "<script>alert(1)</script>"})
    assert "<script>alert" not in member.get("/dashboard/keys").text


def test_pausing_resuming_and_revoking_hold_within_a_second(
    app: Flask, member: Visitor, context: AppContext, email: str
) -> None:
    secret = member.key()
    key_id = owned(context, email)[0].id
    assert ask(app, secret).status_code == 200
    for action, status, code in (
        ("pause", 401, "key_paused"),
        ("resume", 200, None),
        ("revoke", 401, "invalid_api_key"),
    ):
        started = time.perf_counter()
        assert member.post(f"/dashboard/keys/{key_id}/{action}", page="/dashboard/keys").status_code == 303
        answer = ask(app, secret)
        assert time.perf_counter() - started < 1
        assert answer.status_code == status
        assert (answer.json.get("error") or {}).get("code") == code
    assert "revoked" in member.get("/dashboard/keys").text


def test_a_rotated_key_overlaps_with_its_successor(
    app: Flask, member: Visitor, context: AppContext, email: str
) -> None:
    old = member.key(name="worker")
    page = member.post(f"/dashboard/keys/{owned(context, email)[0].id}/rotate")
    new = re.search(r'id="secret"[^>]*>(rl_\w+)<', page.text)
    assert new is not None
    assert ask(app, old).status_code == ask(app, new[1]).status_code == 200
    newest, oldest = owned(context, email)
    assert newest.name == oldest.name == "worker"
    assert oldest.expires_at is not None
    assert timedelta(hours=23, minutes=59) < oldest.expires_at - datetime.now(UTC) <= timedelta(hours=24)


def test_models_and_addresses_of_a_key_are_enforced(app: Flask, member: Visitor) -> None:
    secret = member.key(models=["mistral-7b"], addresses="203.0.113.0/24")
    assert ask(app, secret, "203.0.113.5", "mistral-7b").status_code == 200
    refused = ask(app, secret, "203.0.113.5", "phi-3-mini")
    assert refused.status_code == 403
    assert refused.json["error"]["code"] == "model_not_allowed"
    assert refused.json["error"]["param"] == "model"
    elsewhere = ask(app, secret, "198.51.100.1", "mistral-7b")
    assert elsewhere.status_code == 403
    assert elsewhere.json["error"]["code"] == "address_not_allowed"


def test_changing_a_key_keeps_its_secret_and_mode(app: Flask, member: Visitor, context: AppContext, email: str) -> None:
    secret = member.key()
    key_id = owned(context, email)[0].id
    form = {"name": "renamed", "mode": "live", "permissions": ["models"], "expiry": "30", "tokens_per_day": "9"}
    assert member.post(f"/dashboard/keys/{key_id}", form).status_code == 303
    key = owned(context, email)[0]
    assert (key.name, key.mode, key.permissions, key.restrictions.tokens_per_day) == ("renamed", "test", ("models",), 9)
    assert ask(app, secret).status_code == 403
    page = member.get(f"/dashboard/keys/{key_id}").text
    assert 'value="renamed"' in page
    assert member.post(f"/dashboard/keys/{key_id}", form | {"expiry": "on", "expires_on": ""}).status_code == 400


def test_revoking_asks_first_and_names_the_key(member: Visitor, context: AppContext, email: str) -> None:
    member.key(name="the important one")
    key = owned(context, email)[0]
    page = member.get(f"/dashboard/keys/{key.id}/revoke").text
    assert "Revoke “the important one”?" in page
    assert key.redacted in page
    assert owned(context, email)[0].revoked_at is None
