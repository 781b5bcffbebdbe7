"""Large answers lie in memory until they are read, so each account, and each worker, has a bound of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from blueprints.v1 import responses
from llmrack.errors import RateLimited, Unavailable
from llmrack.inference.context import AppContext
from server.unread import MOST_OF_A_WORKER_BYTES, MOST_OF_AN_ACCOUNT_BYTES, Unread
from tests.support import made


def key_of(context: AppContext, name: str) -> dict[str, str]:
    made.account(context.store, name, datetime.now(UTC), context.plans.get("business"))
    return {"Authorization": f"Bearer {made.key(context.store, mode='test', account=name).secret}"}


def ask(app: Flask, headers: dict[str, str], count: int) -> TestResponse:
    body: dict[str, Any] = {"model": "nomic-embed", "input": [f"text {n}" for n in range(count)]}
    return app.test_client().post("/v1/embeddings", json=body, headers=headers, buffered=False)


def test_an_account_that_reads_none_of_its_large_answers_is_refused_until_it_does(
    app: Flask, context: AppContext
) -> None:
    hoarder, other = key_of(context, "hoarder"), key_of(context, "reader")
    held: list[TestResponse] = []
    while len(held) < 100:
        answer = ask(app, hoarder, 1000)
        if answer.status_code != 200:
            break
        held.append(answer)
    refused = answer.get_json()["error"]
    assert (answer.status_code, refused["code"], answer.headers["Retry-After"]) == (429, "unread_answers", "5")
    sizes = sum(int(answer.headers["Content-Length"]) for answer in held)
    assert MOST_OF_AN_ACCOUNT_BYTES <= sizes < MOST_OF_AN_ACCOUNT_BYTES * 1.5
    assert ask(app, other, 1).status_code == 200
    for answer in held:
        answer.close()
    assert ask(app, hoarder, 1).status_code == 200
    assert responses._unread._bytes == {}


def test_what_a_worker_holds_in_all_is_bounded_too() -> None:
    unread, each = Unread(), bytes(16 * 1024 * 1024)
    held = [unread.hold(account_id, each) for account_id in range(MOST_OF_A_WORKER_BYTES // len(each))]
    with pytest.raises(Unavailable):
        unread.require_room(1000)
    held[0].close()
    held[0].close()
    unread.require_room(1000)
    unread.hold(0, each)
    with pytest.raises(Unavailable):
        unread.require_room(0)


def test_an_account_is_told_that_it_is_its_own(app: Flask) -> None:
    unread = Unread()
    unread.hold(1, bytes(MOST_OF_AN_ACCOUNT_BYTES))
    unread.require_room(2)
    with pytest.raises(RateLimited):
        unread.require_room(1)
