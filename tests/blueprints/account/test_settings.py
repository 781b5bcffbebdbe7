"""Changing one's name, address and password, and leaving."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask

from llmrack import outbox
from llmrack.accounts import links, people
from llmrack.errors import AuthenticationFailed
from llmrack.inference.context import AppContext
from llmrack.keys import authentication
from tests.blueprints.conftest import Post
from tests.support.visitor import PASSWORD, Visitor, link_in, make_person


def test_a_name_shows_and_can_be_removed(member: Visitor) -> None:
    member.post("/dashboard/settings/name", {"name": " Ada <b> "})
    assert "Ada &lt;b&gt;" in member.get("/dashboard").text
    member.post("/dashboard/settings/name", {"name": ""})
    assert "Ada" not in member.get("/dashboard").text


def test_a_new_address_counts_once_its_link_was_used(
    member: Visitor, post: Post, email: str, context: AppContext
) -> None:
    form = {"email": f"new-{email}", "email_password": PASSWORD}
    assert member.post("/dashboard/settings/email", form).status_code == 303
    assert people.find(context.store, f"new-{email}") is None
    path = link_in(post.last(f"new-{email}"))
    assert f"new-{email}" in member.get(path).text
    assert member.post("/confirm-email", {"token": path.partition("=")[2]}).status_code == 303
    assert people.find(context.store, email) is None
    assert people.find(context.store, f"new-{email}") is not None
    assert f"new-{email}" in post.last(email, "was changed").text


def test_a_taken_address_gets_the_same_answer_and_stays_taken(
    app: Flask, member: Visitor, post: Post, email: str, context: AppContext
) -> None:
    make_person(app, f"taken-{email}")
    form = {"email": f"taken-{email}", "email_password": PASSWORD}
    assert member.post("/dashboard/settings/email", form).status_code == 303
    assert "have an LLMRack account already" in post.last(f"taken-{email}").subject
    me = people.find(context.store, email)
    assert me is not None
    token = links.make(context.store, me.account_id, links.EMAIL, f"taken-{email}", datetime.now(UTC))
    assert member.post("/confirm-email", {"token": token}).status_code == 404


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/dashboard/settings/email", {"email": "elsewhere@example.com", "email_password": "wrong"}),
        ("/dashboard/settings/password", {"current": "wrong", "password": "another good password"}),
        ("/dashboard/settings/delete", {"proof": "wrong"}),
    ],
)
def test_the_weighty_changes_ask_for_the_password(member: Visitor, path: str, form: dict[str, str], email: str) -> None:
    page = member.post(path, form)
    assert page.status_code == 400
    assert "This is not your password" in page.text
    assert member.is_signed_in()


def test_a_password_can_be_changed(member: Visitor, another: Callable[[], Visitor], post: Post, email: str) -> None:
    form = {"current": PASSWORD, "password": "another good password"}
    assert member.post("/dashboard/settings/password", form).status_code == 303
    assert post.last(email, "was changed")
    other = another()
    assert other.sign_in(email, PASSWORD).status_code == 400
    assert other.sign_in(email, "another good password").status_code == 303


def test_leaving_ends_the_keys_and_removes_what_names_the_person(
    member: Visitor, context: AppContext, email: str
) -> None:
    secret = member.key()
    now = datetime.now(UTC)
    account_id = authentication.resolve(context.store, context.plans, secret, now).account_id
    assert member.post("/dashboard/settings/delete", {"proof": PASSWORD}).headers["Location"] == "/login"
    with pytest.raises(AuthenticationFailed, match="revoked"):
        authentication.resolve(context.store, context.plans, secret, now)
    with context.store.read() as connection:
        dump = "\n".join(connection.connection.dbapi_connection.iterdump())  # type: ignore[union-attr]
    assert f"'{email}'" not in dump
    assert f"deleted-{account_id}" in dump


def test_the_address_of_a_deleted_account_is_free_again(member: Visitor, app: Flask, email: str) -> None:
    member.post("/dashboard/settings/delete", {"proof": PASSWORD})
    make_person(app, email)
    assert member.sign_in(email).status_code == 303


def test_a_reset_link_works_once_and_for_ten_minutes(
    app: Flask, visitor: Visitor, post: Post, email: str, context: AppContext
) -> None:
    make_person(app, email)
    visitor.post("/reset", {"email": email})
    token = link_in(post.last(email)).partition("=")[2]
    assert visitor.get(f"/reset/new?token={token}").status_code == 200
    weak = visitor.post("/reset/new", {"token": token, "password": "short"})
    assert weak.status_code == 400
    assert visitor.post("/reset/new", {"token": token, "password": "another good password"}).status_code == 303
    assert visitor.post("/reset/new", {"token": token, "password": "a third good password"}).status_code == 404
    assert visitor.sign_in(email, "another good password").status_code == 303


def test_nobody_is_flooded_with_mail(app: Flask, another: Callable[[], Visitor], post: Post, email: str) -> None:
    make_person(app, email)
    for _ in range(12):
        assert another().post("/reset", {"email": email}).headers["Location"] == "/reset/sent"
    post.last(email)
    assert len([mail for mail in post.sent if mail.to == email]) <= 5


HERE = "127.0.0.1:8000"


def read_outbox(
    app: Flask, token: str | None = None, *, host: str = HERE, peer: str = "127.0.0.1", **headers: str
) -> int:
    token = outbox.token(app.config["SECRET_KEY"]) if token is None else token
    overrides = {"REMOTE_ADDR": peer, "HTTP_HOST": host}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    query = {"token": token}
    return app.test_client().get("/outbox", query_string=query, environ_overrides=overrides, headers=named).status_code


def test_the_outbox_opens_by_the_printed_link_on_this_machine_only(app: Flask) -> None:
    assert read_outbox(app) == 200
    assert read_outbox(app, host="localhost:8000") == 200
    assert read_outbox(app, host="[::1]:8000", peer="::1") == 200
    assert read_outbox(app, "") == 404
    assert read_outbox(app, "0" * 32) == 404
    assert read_outbox(app, "é") == 404
    assert read_outbox(app, peer="203.0.113.7") == 404
    for host in ("evil.example", "evil.example:8000", "127.0.0.1:9000", "127.0.0.1", "localhost.evil:8000"):
        assert read_outbox(app, host=host) == 404, host


FORWARDED = [
    "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server", "X-Real-IP",
    "X-Client-IP", "X-Cluster-Client-IP", "X-Original-Forwarded-For", "CF-Connecting-IP", "True-Client-IP",
]  # fmt: skip


@pytest.mark.parametrize("name", FORWARDED)
def test_the_outbox_is_closed_to_what_a_proxy_passed_on(app: Flask, name: str) -> None:
    assert read_outbox(app, **{name.replace("-", "_"): "127.0.0.1"}) == 404


@pytest.mark.parametrize(
    "settings",
    [
        {"environment": "production"},
        {"smtp_host": "mail.example"},
        {"public_url": "https://llm.example"},
        {"host": "192.0.2.7"},
        {"trusted_proxies": 1},
    ],
)
def test_there_is_no_outbox_where_others_could_come(context: AppContext, settings: dict[str, Any]) -> None:
    assert outbox.is_open(context.settings)
    before = {name: getattr(context.settings, name) for name in settings}
    context.settings._values.update(settings)
    try:
        assert not outbox.is_open(context.settings)
    finally:
        context.settings._values.update(before)


def test_a_link_in_a_mail_never_repeats_the_host_that_asked(app: Flask, email: str) -> None:
    make_person(app, email)
    visitor = Visitor(app, "127.0.0.1")
    visitor.client.environ_base["HTTP_HOST"] = "evil.example"
    visitor.post("/reset", {"email": email})
    box = app.extensions["llmrack_mail"]
    deadline = time.monotonic() + 5
    while not [mail for mail in box.sent if mail.to == email]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (mail,) = [mail for mail in box.sent if mail.to == email]
    assert "evil.example" not in mail.text
    assert "http://127.0.0.1:8000/reset/new?token=" in mail.text


def test_pages_fail_as_pages_and_the_rest_in_the_envelope(visitor: Visitor) -> None:
    page = visitor.get("/no/such/page")
    assert page.status_code == 404
    assert "There is nothing here" in page.text
    assert visitor.client.get("/no/such/page").json["error"]["code"] == "not_found"
    assert visitor.get("/v1/no/such/page").json["error"]["type"] in ("authentication_error", "not_found_error")


def test_after_a_reset_the_live_keys_are_listed_and_one_press_revokes_them(
    app: Flask, member: Visitor, another: Callable[[], Visitor], post: Post, email: str
) -> None:
    first, second = member.key(mode="live", name="laptop"), member.key(mode="live", name="server")
    test = member.key(name="ci")
    owner = another()
    owner.post("/reset", {"email": email})
    token = link_in(post.last(email, "password")).partition("=")[2]
    done = owner.post("/reset/new", {"token": token, "password": "another good password"})
    assert done.headers["Location"] == "/login?next=/dashboard/keys/review"
    form = {"email": email, "password": "another good password", "next": "/dashboard/keys/review"}
    assert owner.post("/login", form).headers["Location"] == "/dashboard/keys/review"
    page = owner.get("/dashboard/keys/review")
    assert "laptop" in page.text
    assert "server" in page.text
    assert "ci</span>" not in page.text
    assert "Revoke all 2 live keys" in page.text
    owner.post("/dashboard/keys/review", {}, page="/dashboard/keys/review")
    statuses = {
        secret: app.test_client().get("/v1/models", headers={"Authorization": f"Bearer {secret}"}).status_code
        for secret in (first, second, test)
    }
    assert statuses == {first: 401, second: 401, test: 200}
    assert "No live key works" in owner.get("/dashboard/keys/review").text
