"""Who may call /v1, and what everybody else is told."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from llmrack.inference.context import AppContext
from llmrack.keys import key_format
from llmrack.store.database import RECALL_S
from tests.blueprints.v1.conftest import Api, issue
from tests.support import made

BODY = {"model": "phi-3-mini", "messages": [{"role": "user", "content": "hi"}]}


def assert_401(api: Api, headers: dict[str, str], said: str) -> None:
    for answer in (
        api.client.get("/v1/models", headers=headers),
        api.client.post("/v1/chat/completions", headers=headers, json=BODY),
    ):
        error = answer.get_json()["error"]
        assert (answer.status_code, error["type"], error["param"]) == (401, "authentication_error", None)
        assert said in error["message"]
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.headers["x-request-id"].startswith("req_")


def test_a_request_without_a_key_is_401(live: Api) -> None:
    assert_401(live, {}, "Authorization")


@pytest.mark.parametrize("name", ["x-api-key", "api-key", "X-Api-Key"])
def test_a_key_may_come_in_the_header_of_another_api(live: Api, name: str) -> None:
    for path, headers, status in [
        ("/v1/models", {name: live.key}, 200),
        ("/v1/models", {name: f" {live.key} "}, 200),
        ("/v1/models", {name: "nonsense"}, 401),
        ("/v1/models", {name: live.key, "Authorization": "Bearer nonsense"}, 401),
    ]:
        assert live.client.get(path, headers=headers).status_code == status


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer nonsense", "Basic abc", "rl_live_x", "Bearer sk-abc", "Bearer rl_live_" + "é" * 49],
)
def test_a_malformed_key_is_401(live: Api, header: str) -> None:
    answer = live.client.get("/v1/models", headers={"Authorization": header.encode().decode("latin-1")})
    assert (answer.status_code, answer.get_json()["error"]["type"]) == (401, "authentication_error")


def test_a_mistyped_key_is_told_apart_from_an_unknown_one(live: Api) -> None:
    swapped = live.key[:-1] + ("a" if live.key[-1] != "a" else "b")
    assert_401(live, {"Authorization": f"Bearer {swapped}"}, "typ")


def test_a_key_in_a_cookie_or_the_query_string_is_no_key(live: Api) -> None:
    live.client.set_cookie("Authorization", f"Bearer {live.key}")
    assert live.client.get(f"/v1/models?api_key={live.key}&key={live.key}").status_code == 401
    live.client.delete_cookie("Authorization")


def test_revoking_works_on_the_very_next_request(live: Api, context: AppContext) -> None:
    issued = made.key(context.store, name="short lived", mode="live")
    headers = {"Authorization": f"Bearer {issued.secret}"}
    assert live.client.get("/v1/models", headers=headers).status_code == 200
    made.revoke(context.store, str(issued.key.id), datetime.now(UTC))
    assert_401(live, headers, "revoked")


def test_what_another_process_revokes_is_refused_within_its_bound(
    live: Api, context: AppContext, roomy_account: str
) -> None:
    secret = issue(context, roomy_account, "live")
    ask = Api(live.client, secret)
    assert ask.get("/models").status_code == 200
    # A connection of its own: this process is told nothing about it.
    with closing(sqlite3.connect(str(context.store.engine.url.database))) as other, other:
        digest = key_format.digest(secret)
        other.execute("update keys set revoked_at = 1 where secret_sha256 = ?", (digest,))
    time.sleep(RECALL_S["sqlite"])
    assert ask.get("/models").status_code == 401


def test_an_expired_key_says_that_it_expired(live: Api, context: AppContext, roomy_account: str) -> None:
    secret = issue(context, roomy_account, "live", expires_at=datetime.now(UTC) - timedelta(days=1))
    assert_401(live, {"Authorization": f"Bearer {secret}"}, "expired")


def test_the_scheme_is_read_in_any_case(live: Api) -> None:
    assert live.client.get("/v1/models", headers={"Authorization": f"bearer  {live.key}"}).status_code == 200


PERMISSIONS = [("inference", {"chat", "completions"}), ("embeddings", {"embeddings"}), ("models", {"models"})]


@pytest.mark.parametrize(("permission", "open_doors"), PERMISSIONS, ids=[row[0] for row in PERMISSIONS])
def test_a_key_opens_only_what_its_permissions_name(
    live: Api, context: AppContext, roomy_account: str, permission: str, open_doors: set[str]
) -> None:
    api = Api(live.client, issue(context, roomy_account, "live", permissions=(permission,)))
    answers = {
        "chat": api.chat("hi"),
        "completions": api.post("/completions", {"model": "phi-3-mini", "prompt": "hi"}),
        "embeddings": api.post("/embeddings", {"model": "nomic-embed", "input": "hi"}),
        "models": api.get("/models"),
    }
    for door, answer in answers.items():
        assert answer.status_code == (200 if door in open_doors else 403), door
        if door not in open_doors:
            assert answer.get_json()["error"]["type"] == "permission_error"
