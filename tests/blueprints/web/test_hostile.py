"""Whatever an address or a form holds, no page breaks: every route, signed out, signed in and as an operator."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.routing import Rule

from llmrack.accounts import people
from llmrack.inference.context import AppContext
from tests.support import made
from tests.support.visitor import Visitor, make_person

HOSTILE = [
    "99999999999999999999999",
    "-1",
    "0",
    "1e400",
    "0001-01-01",
    "9999-12-31",
    "2026-02-31",
    "0001-01-01T00:00:00+00:00~x",
    "9999-12-31T23:59:59-23:59~x",
    "\x00",
    "\u0663",
    "é" * 200,
    "x" * 10_000,
    "%",
    "' OR 1=1 --",
    "../../etc/passwd",
    "[]",
    "",
]
# What the pages read out of addresses and forms.
NAMES = """
before from to q range mode model key measure group page days token next id ids name email password plan amount cents
reason until code proof current expiry permissions requests_per_minute tokens_per_day usd_per_month addresses limit
models prompt system messages temperature max_tokens tools schema images key_id gives_up_credits usd kind outcome
""".split()  # noqa: SIM905 - as a list it is a page long
# Signing out and deleting end what the walk goes on with.
ENDING = {"account.logout", "profile.delete", "profile.end_others", "profile.end_session"}


def pages(app: Flask, method: str) -> Iterator[Rule]:
    for rule in app.url_map.iter_rules():
        if method in (rule.methods or ()) and not rule.rule.startswith("/v1") and rule.endpoint not in ENDING:
            yield rule


def path_of(rule: Rule, value: str) -> str:
    return re.sub(r"<[^>]+>", lambda _: quote(value[:500], safe="") or "x", rule.rule)


@pytest.fixture(params=["signed out", "signed in", "operator"])
def walker(
    request: pytest.FixtureRequest, app: Flask, context: AppContext, another: Callable[[], Visitor], email: str
) -> Visitor:
    visitor = another()
    if request.param != "signed out":
        account_id = make_person(app, email)
        people.set_operator(context.store, account_id, request.param == "operator", datetime.now(UTC), actor="tests")
        visitor.sign_in(email)
    return visitor


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_no_value_in_an_address_breaks_a_page(app: Flask, walker: Visitor, value: str) -> None:
    broken: list[Any] = []
    for rule in pages(app, "GET"):
        query = dict.fromkeys(NAMES, value) | {"range": "custom"}
        for asked in ({}, query, query | {"range": value}):
            answer = walker.client.get(
                path_of(rule, value),
                query_string=asked,
                headers={"Accept": "text/html"},
                environ_overrides=walker.environ,
            )
            answer.close()
            if answer.status_code >= 500:
                broken.append((rule.rule, value[:30], answer.status_code))
    assert broken == []


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_no_value_in_a_form_breaks_a_page(app: Flask, walker: Visitor, value: str) -> None:
    token = walker.token()
    broken: list[Any] = []
    for rule in pages(app, "POST"):
        for form in ({}, dict.fromkeys(NAMES, value)):
            answer = walker.send(path_of(rule, value), form | {"csrf_token": token})
            answer.close()
            if answer.status_code >= 500:
                broken.append((rule.rule, value[:30], answer.status_code))
    assert broken == []


def test_no_value_in_a_form_that_ends_something_breaks_a_page(app: Flask, another: Callable[[], Visitor]) -> None:
    visitor, email = another(), "ending@example.com"
    make_person(app, email)
    broken: list[Any] = []
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint in ENDING and "POST" in (rule.methods or ())]
    assert len(rules) == len(ENDING)
    for rule in rules:
        for value in HOSTILE:
            if not visitor.is_signed_in():
                visitor.sign_in(email)
            form = dict.fromkeys((*NAMES, "gives_up_credits"), value) | {"csrf_token": visitor.token()}
            answer = visitor.send(path_of(rule, value), form)
            answer.close()
            if answer.status_code >= 500:
                broken.append((rule.rule, value[:30], answer.status_code))
    assert broken == []


@pytest.mark.parametrize("has_key", [True, False])
def test_no_value_breaks_the_api(app: Flask, context: AppContext, has_key: bool) -> None:
    client, broken = app.test_client(), []
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/v1"):
            continue
        # An account each, so that no limit answers in a view's place.
        secret = made.key(context.store, mode="test", account=f"hostile {rule.rule}").secret
        headers = {"Authorization": f"Bearer {secret}"} if has_key else {}
        for value in HOSTILE:
            path, query = path_of(rule, value), dict.fromkeys(NAMES, value)
            bodies: list[Any] = [
                {},
                query,
                dict.fromkeys(NAMES, [value]),
                {"model": "phi-3-mini", **query},
                value,
                None,
            ]
            asked = [client.get(path, query_string=query, headers=headers)]
            asked += [client.post(path, json=body, headers=headers) for body in bodies]
            asked.append(client.post(path, data=value.encode("utf-16"), headers=headers))
            for answer in asked:
                answer.close()
                if answer.status_code >= 500:
                    broken.append((rule.rule, value[:30], answer.status_code))
    assert broken == []
