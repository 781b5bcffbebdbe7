"""Signing up and confirming an address."""

import re
from collections.abc import Callable

import pytest
from flask import Flask

from llmrack.accounts import people
from llmrack.inference.context import AppContext
from tests.blueprints.conftest import Post
from tests.support import made
from tests.support.visitor import PASSWORD, Visitor, link_in, make_person


def sign_up(visitor: Visitor, email: str, password: str = PASSWORD):  # type: ignore[no-untyped-def]
    return visitor.post("/signup", {"email": email, "password": password})


def test_whoever_signs_up_confirms_the_address_and_lands_on_the_keys(visitor: Visitor, post: Post, email: str) -> None:
    assert sign_up(visitor, email).headers["Location"] == "/signup/sent"
    assert not visitor.is_signed_in()
    path = link_in(post.last(email))
    page = visitor.get(path)
    assert "Confirm address" in page.text
    done = visitor.post("/verify", {"token": path.partition("=")[2]})
    assert (done.status_code, done.headers["Location"]) == (303, "/dashboard/keys")
    assert visitor.is_signed_in()


def test_looking_at_a_link_changes_nothing_and_using_it_ends_it(visitor: Visitor, post: Post, email: str) -> None:
    sign_up(visitor, email)
    path = link_in(post.last(email))
    for _ in range(5):
        assert visitor.get(path).status_code == 200
    token = path.partition("=")[2]
    assert visitor.post("/verify", {"token": token}).status_code == 303
    assert visitor.post("/verify", {"token": token}).status_code == 404
    assert visitor.get(path).status_code == 404


def test_another_browser_confirms_the_address_and_what_was_made_before_ends(
    app: Flask, visitor: Visitor, another: Callable[[], Visitor], post: Post, email: str, context: AppContext
) -> None:
    sign_up(visitor, email)
    visitor.sign_in(email)
    secret = visitor.key()
    owner = another()
    mail = post.last(email)
    assert "10." in mail.text
    done = owner.post("/verify", {"token": link_in(mail).partition("=")[2]})
    assert done.headers["Location"].startswith("/reset/new?token=")
    assert not owner.is_signed_in()
    assert not visitor.is_signed_in()
    assert visitor.sign_in(email).status_code == 400
    assert ask(app, secret) == 401
    token = done.headers["Location"].partition("=")[2]
    owner.post("/reset/new", {"token": token, "password": "another good password"})
    assert owner.sign_in(email, "another good password").status_code == 303
    person = people.find(context.store, email)
    assert person is not None
    assert (person.is_verified, person.has_second_factor) == (True, False)


def ask(app: Flask, secret: str) -> int:
    return app.test_client().get("/v1/models", headers={"Authorization": f"Bearer {secret}"}).status_code


def test_whoever_signed_up_keeps_what_was_made_while_waiting_for_the_mail(
    app: Flask, visitor: Visitor, post: Post, email: str
) -> None:
    sign_up(visitor, email)
    visitor.sign_in(email)
    secret = visitor.key()
    done = visitor.post("/verify", {"token": link_in(post.last(email)).partition("=")[2]})
    assert done.headers["Location"] == "/dashboard/keys"
    assert ask(app, secret) == 200


def test_a_reset_before_the_confirmation_ends_what_was_made_before(
    app: Flask, visitor: Visitor, another: Callable[[], Visitor], post: Post, email: str
) -> None:
    sign_up(visitor, email)
    visitor.sign_in(email)
    secret = visitor.key()
    owner = another()
    owner.post("/reset", {"email": email})
    token = link_in(post.last(email, "password")).partition("=")[2]
    owner.post("/reset/new", {"token": token, "password": "another good password"})
    assert ask(app, secret) == 401
    assert not visitor.is_signed_in()


def test_an_unconfirmed_account_has_no_second_factor(visitor: Visitor, post: Post, email: str) -> None:
    sign_up(visitor, email)
    visitor.sign_in(email)
    done = visitor.post("/dashboard/settings/second-factor/begin", {"proof": PASSWORD}, page="/dashboard/settings")
    assert done.headers["Location"] == "/dashboard/settings"
    assert "Confirm your e-mail address first" in visitor.get("/dashboard/settings").text


def test_a_known_address_gets_the_same_page_and_a_mail_that_says_so(
    app: Flask, visitor: Visitor, post: Post, email: str
) -> None:
    make_person(app, email)
    known = sign_up(visitor, email)
    fresh = sign_up(visitor, f"x{email}")
    assert (known.status_code, known.headers["Location"], known.data) == (
        fresh.status_code,
        fresh.headers["Location"],
        fresh.data,
    )
    assert "have an LLMRack account already" in post.last(email).subject
    assert visitor.sign_in(email).status_code == 303


def test_without_a_mail_server_one_signs_in_at_once(visitor: Visitor, email: str) -> None:
    assert sign_up(visitor, email).headers["Location"] == "/dashboard/keys"
    assert visitor.is_signed_in()
    assert visitor.key(mode="live").startswith("rl_live_")


def test_without_a_mail_server_a_new_address_waits_for_its_confirmation_all_the_same(
    visitor: Visitor, another: Callable[[], Visitor], email: str, context: AppContext, request: pytest.FixtureRequest
) -> None:
    sign_up(visitor, email)
    assert "you are signed in" in visitor.get("/dashboard/keys").text
    person = people.find(context.store, email)
    assert person is not None
    assert not person.is_verified
    # With mail there are no live keys for it, and its owner ends what a stranger made.
    post: Post = request.getfixturevalue("post")
    refused = visitor.post("/dashboard/keys", {"name": "k", "mode": "live", "permissions": "all", "expiry": ""})
    assert refused.status_code == 400
    owner = another()
    owner.post("/reset", {"email": email})
    token = link_in(post.last(email, "password")).partition("=")[2]
    assert owner.post("/reset/new", {"token": token, "password": "another good password"}).status_code == 303
    assert not visitor.is_signed_in()


def test_without_a_mail_server_a_known_address_signs_nobody_in(
    app: Flask, visitor: Visitor, another: Callable[[], Visitor], email: str
) -> None:
    make_person(app, email)
    for password in (PASSWORD, "another good password"):
        stranger = another()
        assert sign_up(stranger, email, password).headers["Location"] == "/login"
        assert not stranger.is_signed_in()
        assert sign_up(stranger, email, password).headers["Location"] == "/login"
        assert "has an account here already" in stranger.get("/login").text
    assert visitor.sign_in(email).status_code == 303


def test_live_keys_wait_for_the_confirmation_where_mail_is_configured(
    app: Flask, visitor: Visitor, post: Post, email: str
) -> None:
    make_person(app, email, is_verified=False)
    visitor.sign_in(email)
    refused = visitor.post("/dashboard/keys", {"name": "k", "mode": "live", "permissions": "all", "expiry": ""})
    assert refused.status_code == 400
    assert "Live keys wait until your e-mail address is confirmed" in refused.text
    assert visitor.key(mode="test").startswith("rl_test_")
    visitor.post("/dashboard/settings/verification")
    visitor.post("/verify", {"token": link_in(post.last(email)).partition("=")[2]})
    assert visitor.key(mode="live").startswith("rl_live_")


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "at least 8"),
        ("password", "first that anyone would try"),
        ("Password", "first that anyone would try"),
        ("iloveyou", "first that anyone would try"),
        ("llmrack123", "first that anyone would try"),
        ("aaaaaaaaaaaa", "first that anyone would try"),
        ("person0@example.com", "first that anyone would try"),
        ("x" * 257, "at most 256"),
    ],
)
def test_passwords_that_are_easy_to_guess_are_refused(visitor: Visitor, password: str, reason: str) -> None:
    page = sign_up(visitor, "person0@example.com", password)
    assert page.status_code == 400
    assert reason in page.text
    assert not re.search(r'type="password"[^>]*value="[^"]', page.text)


@pytest.mark.parametrize("password", ["correct horse", "ÄÖÜ 日本語 🦙 ok", "x1y2z" * 50, "        spaces count  "])
def test_long_and_unusual_passwords_work(app: Flask, visitor: Visitor, email: str, password: str) -> None:
    assert sign_up(visitor, email, password).status_code == 303
    visitor.post("/logout", page="/dashboard")
    assert visitor.sign_in(email, password).status_code == 303


def test_addresses_are_one_whatever_their_case(visitor: Visitor, another: Callable[[], Visitor], email: str) -> None:
    sign_up(visitor, email.upper())
    assert another().sign_in(f" {email} ").status_code == 303


@pytest.mark.parametrize("text", ["", "nobody", "a@b@c", "a b@example.com", "a@", "<script>@example.com"])
def test_what_is_no_address_is_refused(visitor: Visitor, text: str) -> None:
    page = sign_up(visitor, text)
    assert page.status_code == 400
    assert "Enter an e-mail address such as" in page.text
    assert "<script>@" not in page.text


def test_a_server_can_be_closed_to_strangers(app: Flask, visitor: Visitor, email: str, context: AppContext) -> None:
    context.settings._values["signup"] = False
    try:
        assert "does not take sign-ups" in visitor.get("/signup").text
        assert sign_up(visitor, email).status_code == 400
    finally:
        context.settings._values["signup"] = True
    assert people.find(context.store, email) is None


def live_key(context: AppContext, email: str) -> str:
    person = people.find(context.store, email)
    assert person is not None
    return made.key(context.store, name="k", mode="live", account_id=person.account_id).secret


def test_an_address_that_is_changed_without_proof_is_its_owners_at_the_first_reset(
    app: Flask,
    visitor: Visitor,
    another: Callable[[], Visitor],
    email: str,
    context: AppContext,
    request: pytest.FixtureRequest,
) -> None:
    attacker, owner, victim = visitor, another(), f"victim-{email}"
    make_person(app, email)
    attacker.sign_in(email)
    form = {"email": victim, "email_password": PASSWORD}
    assert attacker.post("/dashboard/settings/email", form).status_code == 303
    secret = live_key(context, victim)
    assert ask(app, secret) == 200
    post: Post = request.getfixturevalue("post")
    owner.post("/reset", {"email": victim})
    token = link_in(post.last(victim, "password")).partition("=")[2]
    assert owner.post("/reset/new", {"token": token, "password": "another good password"}).status_code == 303
    assert ask(app, secret) == 401
    assert not attacker.is_signed_in()


def test_a_link_to_a_new_address_works_only_for_who_is_signed_in_to_the_account(
    app: Flask, visitor: Visitor, another: Callable[[], Visitor], post: Post, email: str, context: AppContext
) -> None:
    attacker, owner, victim = visitor, another(), f"victim-{email}"
    make_person(app, email)
    attacker.sign_in(email)
    attacker.post("/dashboard/settings/email", {"email": victim, "email_password": PASSWORD})
    token = link_in(post.last(victim)).partition("=")[2]
    done = owner.post("/confirm-email", {"token": token})
    assert done.headers["Location"].startswith("/login?next=")
    assert people.find(context.store, victim) is None
    assert attacker.post("/confirm-email", {"token": token}).status_code == 303
    assert people.find(context.store, victim) is not None


def test_a_browser_that_did_not_sign_up_is_told_what_confirming_ends(
    visitor: Visitor, another: Callable[[], Visitor], post: Post, email: str
) -> None:
    sign_up(visitor, email)
    path = link_in(post.last(email))
    assert "ends everything that was made before" in another().get(path).text
    assert "ends everything that was made before" not in visitor.get(path).text


def test_a_password_that_is_refused_leaves_the_link_for_another_try(
    app: Flask, visitor: Visitor, post: Post, email: str
) -> None:
    make_person(app, email)
    visitor.post("/reset", {"email": email})
    token = link_in(post.last(email, "password")).partition("=")[2]
    assert visitor.post("/reset/new", {"token": token, "password": email}).status_code == 400
    assert visitor.post("/reset/new", {"token": token, "password": "another good password"}).status_code == 303
