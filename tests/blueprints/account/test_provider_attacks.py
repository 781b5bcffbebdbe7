"""Answers of identity providers that prove nothing: each classic attack, and accounts that must not be taken over."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from joserfc import jwk

from llmrack.accounts import people
from llmrack.clients.openid import OpenIdProvider
from llmrack.inference.context import AppContext
from tests.support.oidc import CLIENT_ID, FakeOidc, failure, identities_of, signed_with_public_key, unsigned
from tests.support.visitor import PASSWORD, Visitor, make_person


def test_a_state_is_used_once(sent: Callable[..., str], visitor: Visitor) -> None:
    path = sent()
    assert visitor.get(path).status_code == 303
    visitor.post("/logout")
    again = visitor.get(path)
    assert again.status_code == 400
    assert failure(again).startswith("This sign-in was begun in another browser")


def test_a_code_is_used_once_even_with_a_copy_of_the_cookie(
    sent: Callable[..., str], visitor: Visitor, another: Callable[[], Visitor]
) -> None:
    path = sent()
    cookie, thief = visitor.client.get_cookie("llmrack"), another()
    assert cookie is not None
    assert visitor.get(path).status_code == 303
    thief.client.set_cookie("llmrack", cookie.value)
    assert thief.get(path).status_code == 400
    assert not thief.is_signed_in()


def test_an_answer_that_another_browser_began_signs_nobody_in(
    sent: Callable[..., str], visitor: Visitor, another: Callable[[], Visitor]
) -> None:
    """Login CSRF: the attacker's answer in the victim's browser."""
    attackers, victim = sent(), another()
    assert victim.get(attackers).status_code == 400
    sent(victim)
    assert victim.get(attackers).status_code == 400
    assert not victim.is_signed_in()


def test_another_site_cannot_begin_a_sign_in(configure: Callable[..., None], visitor: Visitor) -> None:
    form = {"csrf_token": visitor.token()}
    assert visitor.send("/login/with/corp", form, {"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert visitor.send("/login/with/corp", {}).status_code == 403


def test_an_answer_in_the_name_of_another_issuer_is_refused_before_the_code_is_sent(
    sent: Callable[..., str], visitor: Visitor, oidc: FakeOidc
) -> None:
    """Mix-up, RFC 9207."""
    oidc.answer_issuer = "https://attacker.example"
    assert visitor.get(sent()).status_code == 400
    assert "/token" not in oidc.requests


def test_an_answer_without_the_promised_issuer_is_refused(
    sent: Callable[..., str], visitor: Visitor, oidc: FakeOidc
) -> None:
    oidc.metadata = {"authorization_response_iss_parameter_supported": True}
    assert visitor.get(sent()).status_code == 400
    oidc.answer_issuer = oidc.issuer
    assert visitor.get(sent()).status_code == 303


def test_an_answer_for_another_provider_is_refused(
    sent: Callable[..., str], visitor: Visitor, app: Flask, oidc: FakeOidc
) -> None:
    providers = app.extensions["llmrack_identity_providers"]
    providers["evil"] = OpenIdProvider(replace(providers["corp"].row, id="evil"))
    assert visitor.get(sent().replace("/corp/", "/evil/")).status_code == 400
    assert "/token" not in oidc.requests


CLAIMS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another audience": lambda claims: claims.update(aud="another client"),
    "several audiences and no authorized party": lambda claims: claims.update(aud=[CLIENT_ID, "another client"]),
    "an authorized party that is another client": lambda claims: claims.update(azp="another client"),
    "no audience": lambda claims: claims.pop("aud"),
    "another nonce": lambda claims: claims.update(nonce="of another sign-in"),
    "no nonce": lambda claims: claims.pop("nonce"),
    "expired": lambda claims: claims.update(exp=int(time.time()) - 120),
    "no expiry": lambda claims: claims.pop("exp"),
    "issued in the future": lambda claims: claims.update(iat=int(time.time()) + 600),
    "another issuer": lambda claims: claims.update(iss="https://attacker.example"),
    "no subject": lambda claims: claims.pop("sub"),
    "an empty subject": lambda claims: claims.update(sub=""),
    "a subject that is a number": lambda claims: claims.update(sub=7),
    "a subject that is too long": lambda claims: claims.update(sub="x" * 256),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_an_id_token_is_refused_that_has(
    name: str, sent: Callable[..., str], visitor: Visitor, oidc: FakeOidc, context: AppContext, email: str
) -> None:
    oidc.change_claims = CLAIMS[name]
    page = visitor.get(sent())
    assert page.status_code == 400
    assert failure(page) == "What Corp sent proves nothing. Try again."
    assert not visitor.is_signed_in()
    assert people.find(context.store, email) is None


@pytest.mark.parametrize("how", ["none", "HS256 with the public key", "foreign key", "PS256", "cut", "nonsense"])
def test_an_id_token_is_refused_that_is_signed_by(
    how: str, sent: Callable[..., str], visitor: Visitor, oidc: FakeOidc
) -> None:
    stranger = jwk.RSAKey.generate_key(2048, {"kid": "first"})
    oidc.token_of = {
        "none": unsigned,
        "HS256 with the public key": signed_with_public_key(oidc),
        "foreign key": lambda claims: oidc.sign(claims, stranger),
        "PS256": lambda claims: oidc.sign(claims, algorithm="PS256"),
        "cut": lambda claims: oidc.sign(claims)[:-8],
        "nonsense": lambda claims: "nonsense",
    }[how]
    assert visitor.get(sent()).status_code == 400
    assert not visitor.is_signed_in()


@pytest.mark.parametrize("word", [False, None, "false", 0, "yes"])
def test_an_address_that_is_not_confirmed_opens_no_account_and_makes_none(
    word: Any, configure: Callable[..., None], sent: Callable[..., str], visitor: Visitor, oidc: FakeOidc, app: Flask,
    email: str,
) -> None:  # fmt: skip
    configure(links_by_email=True)
    make_person(app, email)
    oidc.person["email_verified"] = word
    page = visitor.get(sent())
    assert page.status_code == 403
    assert "has not confirmed your e-mail address" in failure(page)
    assert not visitor.is_signed_in()


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_no_other_site_is_the_next_page(sent: Callable[..., str], visitor: Visitor, target: str) -> None:
    assert visitor.get(sent(target=target)).headers["Location"] == "/dashboard"


def test_an_account_with_the_address_is_not_opened_unless_the_operator_says_so(
    sent: Callable[..., str], visitor: Visitor, app: Flask, email: str
) -> None:
    make_person(app, email)
    page = visitor.get(sent())
    assert page.status_code == 403
    assert failure(page).startswith(f"An account with {email} exists.")


def test_an_account_with_the_confirmed_address_is_opened_where_that_is_set(
    configure: Callable[..., None], sent: Callable[..., str], visitor: Visitor, app: Flask, email: str,
    context: AppContext,
) -> None:  # fmt: skip
    configure(links_by_email=True, creates=False)
    account_id = make_person(app, email)
    assert visitor.get(sent()).status_code == 303
    assert identities_of(context, account_id) == 1
    assert people.authenticate(context.store, email, PASSWORD) is not None


def test_an_account_that_a_stranger_made_for_the_address_loses_every_other_way_in(
    configure: Callable[..., None], sent: Callable[..., str], visitor: Visitor, another: Callable[[], Visitor],
    app: Flask, email: str, context: AppContext,
) -> None:  # fmt: skip
    """Pre-hijacking: the attacker signed up with the victim's address and waits."""
    configure(links_by_email=True)
    make_person(app, email, is_verified=False)
    attacker = another()
    attacker.sign_in(email)
    assert attacker.is_signed_in()
    assert visitor.get(sent()).status_code == 303
    assert not attacker.is_signed_in()
    assert people.authenticate(context.store, email, PASSWORD) is None
