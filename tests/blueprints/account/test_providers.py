"""Signing in with identity providers: who comes in, connecting an account, passwords for operators, GitHub."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from flask import Flask
from joserfc import jwk

from llmrack.accounts import accounts, audit, people, totp
from llmrack.clients.github import GitHub
from llmrack.inference.context import AppContext
from llmrack.sign_in import SignInProvider
from tests.blueprints.conftest import Post
from tests.support.oidc import CLIENT_ID, CLIENT_SECRET, FakeOidc, back, failure, identities_of, subjects
from tests.support.visitor import PASSWORD, Visitor, make_person


def test_a_new_person_is_let_in_with_an_account_of_their_own(
    sent: Callable[..., str], visitor: Visitor, context: AppContext, email: str, oidc: FakeOidc
) -> None:
    done = visitor.get(sent(target="/dashboard/usage?range=7d"))
    assert (done.status_code, done.headers["Location"]) == (303, "/dashboard/usage?range=7d")
    assert visitor.is_signed_in()
    person = people.find(context.store, email)
    assert person is not None
    assert (person.is_verified, person.is_operator) == (True, False)
    assert people.authenticate(context.store, email, people.NO_PASSWORD) is None
    acts = {(act.actor, act.action) for act in audit.entries(context.store, account_id=person.account_id)}
    assert acts == {("provider:corp", "account.create"), ("provider:corp", "identity.link")}


def test_the_provider_is_asked_with_pkce_state_and_nonce(
    configure: Callable[..., None], visitor: Visitor, oidc: FakeOidc
) -> None:
    page = visitor.post("/login/with/corp")
    asked = parse_qs(urlsplit(page.headers["Refresh"].partition("url=")[2]).query)
    assert asked["redirect_uri"] == ["http://127.0.0.1:8000/login/with/corp/callback"]
    assert (asked["response_type"], asked["code_challenge_method"]) == (["code"], ["S256"])
    assert all(len(asked[name][0]) >= 43 for name in ("state", "nonce", "code_challenge"))


def test_an_identity_is_known_by_its_subject_when_the_address_changes(
    sent: Callable[..., str], visitor: Visitor, another: Callable[[], Visitor], oidc: FakeOidc
) -> None:
    visitor.get(sent())
    oidc.person |= {"email": "other@example.org", "email_verified": False}
    second = another()
    assert second.get(sent(second)).status_code == 303
    assert second.is_signed_in()


def test_the_keys_are_fetched_once_and_again_for_an_unknown_one(
    sent: Callable[..., str], visitor: Visitor, another: Callable[[], Visitor], oidc: FakeOidc, app: Flask
) -> None:
    visitor.get(sent())
    second = another()
    second.get(sent(second))
    assert oidc.requests.count("/jwks") == 1
    oidc.keys.append(jwk.ECKey.generate_key("P-256", {"kid": "second", "use": "sig"}))
    oidc.algorithm = "ES256"
    app.extensions["llmrack_identity_providers"]["corp"]._keys_at = time.monotonic() - 60
    third = another()
    assert third.get(sent(third)).status_code == 303
    assert oidc.requests.count("/jwks") == 2


def test_the_userinfo_of_the_same_subject_gives_the_address(
    sent: Callable[..., str], visitor: Visitor, oidc: FakeOidc
) -> None:
    oidc.userinfo = dict(oidc.person)
    del oidc.person["email"]
    assert visitor.get(sent()).status_code == 303


def test_the_userinfo_of_another_subject_is_refused(sent: Callable[..., str], visitor: Visitor, oidc: FakeOidc) -> None:
    oidc.userinfo = oidc.person | {"sub": "somebody else"}
    del oidc.person["email"]
    assert visitor.get(sent()).status_code == 400
    assert not visitor.is_signed_in()


def test_only_addresses_of_the_allowed_domains_get_an_account(
    configure: Callable[..., None], sent: Callable[..., str], visitor: Visitor
) -> None:
    configure(domains=("example.org",))
    page = visitor.get(sent())
    assert page.status_code == 403
    assert "is for addresses of example.org here" in failure(page)


@pytest.mark.parametrize(
    ("changes", "status"), [({}, 403), ({"domains": ("example.com",)}, 303), ({"creates": False}, 403)]
)
def test_without_sign_up_an_allowed_domain_comes_in(
    changes: dict[str, Any], status: int, configure: Callable[..., None], sent: Callable[..., str], visitor: Visitor,
    context: AppContext, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setitem(context.settings._values, "signup", False)
    configure(**changes)
    assert visitor.get(sent()).status_code == status


def test_a_disabled_account_stays_out(
    sent: Callable[..., str], visitor: Visitor, another: Callable[[], Visitor], context: AppContext, email: str
) -> None:
    visitor.get(sent())
    person = people.find(context.store, email)
    assert person is not None
    accounts.disable(context.store, person.account_id, "left the company", datetime.now(UTC), actor="tests")
    second = another()
    page = second.get(sent(second))
    assert (page.status_code, failure(page)) == (403, "This account is disabled. The reason: left the company")
    assert not second.is_signed_in()


def test_a_second_factor_is_asked_for_all_the_same(
    sent: Callable[..., str], visitor: Visitor, another: Callable[[], Visitor], context: AppContext, email: str,
    app: Flask,
) -> None:  # fmt: skip
    visitor.get(sent())
    person = people.find(context.store, email)
    assert person is not None
    totp.begin(context.store, person.account_id)
    secret = totp.secret(context.store, app.config["SECRET_KEY"], person.account_id)
    assert secret is not None
    code, now = pyotp.TOTP(secret), datetime.now(UTC)
    assert totp.confirm(context.store, app.config["SECRET_KEY"], person.account_id, code.at(now), now)
    second = another()
    assert second.get(sent(second, "/dashboard/keys")).headers["Location"] == "/login/code"
    assert not second.is_signed_in()
    done = second.post("/login/code", {"code": code.at(now + timedelta(seconds=30))})
    assert done.headers["Location"] == "/dashboard/keys"
    assert second.is_signed_in()


def test_a_group_decides_at_each_sign_in_who_is_an_operator(
    configure: Callable[..., None], sent: Callable[..., str], visitor: Visitor, oidc: FakeOidc, context: AppContext,
    email: str,
) -> None:  # fmt: skip
    configure(operators_group="gateway-admins")
    for groups, is_operator in (
        (["gateway-admins"], True),
        (["others"], False),
        (["gateway-admins"], True),
        (None, False),
    ):
        oidc.person["groups"] = groups
        assert visitor.get(sent()).status_code == 303
        person = people.find(context.store, email)
        assert person is not None
        assert person.is_operator is is_operator


def test_signing_out_leads_to_where_the_provider_ends_its_session(
    sent: Callable[..., str], visitor: Visitor, oidc: FakeOidc
) -> None:
    visitor.get(sent())
    page = visitor.post("/logout", page="/dashboard/settings")
    where = "client_id=llmrack&post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%3A8000%2Flogin"
    assert page.headers["Refresh"] == f"0; url={oidc.issuer}/logout?{where}"
    assert not visitor.is_signed_in()


@pytest.mark.parametrize("fault", ["away", "endless", "other issuer", "plain http elsewhere"])
def test_a_provider_that_is_away_is_one_sentence_and_passwords_work(
    fault: str, configure: Callable[..., None], visitor: Visitor, oidc: FakeOidc, app: Flask, email: str
) -> None:
    oidc.is_away = fault == "away"
    oidc.padding_bytes = 2_000_000 if fault == "endless" else 0
    if fault == "other issuer":
        oidc.metadata = {"issuer": "https://attacker.example"}
    if fault == "plain http elsewhere":
        oidc.metadata = {"authorization_endpoint": "http://corp.example/authorize"}
    page = visitor.post("/login/with/corp")
    assert page.status_code == 503
    assert failure(page).startswith("Corp cannot be reached just now.")
    make_person(app, email)
    assert visitor.sign_in(email).status_code == 303


def test_an_answer_of_no_is_one_sentence(sent: Callable[..., str], visitor: Visitor) -> None:
    state = parse_qs(urlsplit(sent()).query)["state"][0]
    page = visitor.get(f"/login/with/corp/callback?error=access_denied&state={state}")
    assert page.status_code == 400
    assert failure(page).startswith("Corp did not sign you in.")


# Connecting.


def test_an_account_is_connected_with_its_password_and_disconnected_again(
    configure: Callable[..., None], member: Visitor, another: Callable[[], Visitor], oidc: FakeOidc, post: Post,
    context: AppContext, email: str,
) -> None:  # fmt: skip
    oidc.person["email"] = "private@example.org"
    assert "Connected accounts" in member.get("/dashboard/settings").text
    assert "Refresh" not in member.post("/dashboard/settings/connections/corp", {"proof": "wrong"}).headers
    path = back(oidc, member.post("/dashboard/settings/connections/corp", {"proof": PASSWORD}))
    assert member.get(path).headers["Location"] == "/dashboard/settings#connections"
    assert "Corp" in post.last(email, "signs in to").text
    other = another()
    assert other.get(back(oidc, other.post("/login/with/corp"))).status_code == 303
    found = re.search(r"connections/(\d+)/disconnect", member.get("/dashboard/settings").text)
    assert found is not None
    member.post(f"/dashboard/settings/connections/{found[1]}/disconnect", {"proof": PASSWORD})
    person = people.find(context.store, email)
    assert person is not None
    assert identities_of(context, person.account_id) == 0


def test_an_answer_connects_nothing_in_a_browser_that_is_signed_out(
    configure: Callable[..., None], member: Visitor, oidc: FakeOidc
) -> None:
    path = back(oidc, member.post("/dashboard/settings/connections/corp", {"proof": PASSWORD}))
    flow = member.client.get_cookie("llmrack")
    assert flow is not None
    member.post("/logout")
    member.client.set_cookie("llmrack", flow.value)
    assert member.get(path).status_code == 400


def test_an_identity_of_another_account_is_not_taken_over(
    sent: Callable[..., str], visitor: Visitor, another: Callable[[], Visitor], oidc: FakeOidc, app: Flask, email: str
) -> None:
    visitor.get(sent())
    other = another()
    make_person(app, f"x{email}")
    other.sign_in(f"x{email}")
    other.get(back(oidc, other.post("/dashboard/settings/connections/corp", {"proof": PASSWORD})))
    assert "connected to another account here" in other.get("/dashboard/settings").text


def test_the_last_way_in_is_not_disconnected(
    sent: Callable[..., str], visitor: Visitor, context: AppContext, email: str
) -> None:
    visitor.get(sent())
    found = re.search(r"connections/(\d+)/disconnect", visitor.get("/dashboard/settings").text)
    assert found is not None
    visitor.post(f"/dashboard/settings/connections/{found[1]}/disconnect", page="/dashboard/settings")
    person = people.find(context.store, email)
    assert person is not None
    assert identities_of(context, person.account_id) == 1


# Passwords for operators only.


def test_passwords_can_be_for_operators_only(
    configure: Callable[..., None], visitor: Visitor, another: Callable[[], Visitor], app: Flask, email: str,
    context: AppContext, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setitem(context.settings._values, "local_sign_in", "operators")
    account_id = make_person(app, email)
    page = visitor.sign_in(email)
    assert page.status_code == 403
    assert failure(page).startswith("Passwords are for operators on this server.")
    assert "Create account" not in visitor.get("/signup").text
    people.set_operator(context.store, account_id, True, datetime.now(UTC), actor="tests")
    assert another().sign_in(email).status_code == 303


# GitHub.


@pytest.mark.parametrize(("is_verified", "status"), [(True, 303), (False, 403)])
def test_github_signs_in_with_its_confirmed_primary_address(
    is_verified: bool, status: int, app: Flask, oidc: FakeOidc, visitor: Visitor, context: AppContext, email: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    row = SignInProvider(
        id="github", label="GitHub", kind="github", client_id=CLIENT_ID, client_secret=CLIENT_SECRET,
        issuer=oidc.issuer, api_url=f"{oidc.issuer}/api", scopes=("user:email",), creates=True,
    )  # fmt: skip
    monkeypatch.setitem(app.extensions, "llmrack_identity_providers", {"github": GitHub(row)})
    oidc.person = {"id": next(subjects)}
    oidc.github_emails = [
        {"email": "other@example.com", "primary": False, "verified": True},
        {"email": email, "primary": True, "verified": is_verified},
    ]
    path = back(oidc, visitor.post("/login/with/github"))
    assert visitor.get(path).status_code == status
    assert (people.find(context.store, email) is not None) is is_verified
    assert visitor.get(path).status_code == 400
