"""Changing one's name, address and password, and leaving."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask

from llmrack.errors import AuthenticationFailed
from llmrack.services import callers, links, logins
from llmrack.services.rack import Rack
from tests.pages.conftest import Post
from tests.support.visitor import PASSWORD, Visitor, link_in, make_person


def test_a_name_shows_and_can_be_removed(member: Visitor) -> None:
    member.post("/dashboard/settings/name", {"name": " Ada <b> "})
    assert "Ada &lt;b&gt;" in member.get("/dashboard").text
    member.post("/dashboard/settings/name", {"name": ""})
    assert "Ada" not in member.get("/dashboard").text


def test_a_new_address_counts_once_its_link_was_used(member: Visitor, post: Post, email: str, rack: Rack) -> None:
    form = {"email": f"new-{email}", "email_password": PASSWORD}
    assert member.post("/dashboard/settings/email", form).status_code == 303
    assert logins.find(rack.store, f"new-{email}") is None
    path = link_in(post.last(f"new-{email}"))
    assert f"new-{email}" in member.get(path).text
    assert member.post("/confirm-email", {"token": path.partition("=")[2]}).status_code == 303
    assert logins.find(rack.store, email) is None
    assert logins.find(rack.store, f"new-{email}") is not None
    assert f"new-{email}" in post.last(email, "was changed").text


def test_a_taken_address_gets_the_same_answer_and_stays_taken(
    app: Flask, member: Visitor, post: Post, email: str, rack: Rack
) -> None:
    make_person(app, f"taken-{email}")
    form = {"email": f"taken-{email}", "email_password": PASSWORD}
    assert member.post("/dashboard/settings/email", form).status_code == 303
    assert "have an LLMRack account already" in post.last(f"taken-{email}").subject
    me = logins.find(rack.store, email)
    assert me is not None
    token = links.make(rack.store, me.account_id, links.EMAIL, f"taken-{email}", datetime.now(UTC))
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


def test_leaving_ends_the_keys_and_removes_what_names_the_person(member: Visitor, rack: Rack, email: str) -> None:
    secret = member.key()
    now = datetime.now(UTC)
    account_id = callers.resolve(rack.store, rack.plans, secret, now).account_id
    assert member.post("/dashboard/settings/delete", {"proof": PASSWORD}).headers["Location"] == "/login"
    with pytest.raises(AuthenticationFailed, match="revoked"):
        callers.resolve(rack.store, rack.plans, secret, now)
    with rack.store.read() as connection:
        dump = "\n".join(connection.connection.dbapi_connection.iterdump())  # type: ignore[union-attr]
    assert f"'{email}'" not in dump
    assert f"deleted-{account_id}" in dump


def test_the_address_of_a_deleted_account_is_free_again(member: Visitor, app: Flask, email: str) -> None:
    member.post("/dashboard/settings/delete", {"proof": PASSWORD})
    make_person(app, email)
    assert member.sign_in(email).status_code == 303


def test_a_reset_link_works_once_and_for_ten_minutes(
    app: Flask, visitor: Visitor, post: Post, email: str, rack: Rack
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


@pytest.mark.parametrize(
    "elsewhere",
    [{"environ_overrides": {"REMOTE_ADDR": "203.0.113.7"}}, {"headers": {"X-Forwarded-For": "127.0.0.1"}}],
    ids=["another machine", "behind a proxy"],
)
def test_the_outbox_opens_on_this_machine_only(visitor: Visitor, elsewhere: dict[str, Any]) -> None:
    assert visitor.client.get("/outbox", **elsewhere).status_code == 404


def test_the_outbox_is_there_while_developing_only(app: Flask, rack: Rack, email: str) -> None:
    visitor = Visitor(app, "127.0.0.1")
    visitor.post("/signup", {"email": email, "password": PASSWORD})
    assert visitor.get("/outbox").status_code == 200
    rack.settings._values["environment"] = "production"
    try:
        assert visitor.get("/outbox").status_code == 404
    finally:
        rack.settings._values["environment"] = "development"


def test_pages_fail_as_pages_and_the_rest_in_the_envelope(visitor: Visitor) -> None:
    page = visitor.get("/no/such/page")
    assert page.status_code == 404
    assert "There is nothing here" in page.text
    assert visitor.client.get("/no/such/page").json["error"]["code"] == "not_found"
    assert visitor.get("/v1/no/such/page").json["error"]["type"] in ("authentication_error", "not_found_error")
