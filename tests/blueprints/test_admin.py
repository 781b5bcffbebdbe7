"""The operator's pages: nothing there for anybody else, the password before money moves, every change recorded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
import pytest
from flask import Flask

from llmrack.accounts import accounts, audit, people, totp
from llmrack.billing import checkout, credits
from llmrack.billing.checkout import Billing
from llmrack.inference.context import AppContext
from llmrack.keys import keys
from tests.support import made
from tests.support.shops import close, make_app
from tests.support.visitor import PASSWORD, Visitor, make_person

PATHS = ("/admin", "/admin/accounts", "/admin/accounts/1", "/admin/audit")
CHANGES = ("credits", "plan", "disable", "enable", "keys/1/revoke")


@pytest.fixture
def operator(app: Flask, member: Visitor, email: str) -> Visitor:
    context: AppContext = app.extensions["llmrack"]
    people.set_operator(context.store, accounts.find(context.store, email).id, True, datetime.now(UTC), actor="tests")
    return member


@pytest.fixture
def subject(app: Flask) -> int:
    """An account the operator looks after."""
    return make_person(app, f"subject{datetime.now(UTC).timestamp()}@example.com")


def give(operator: Visitor, subject: int, amount: str = "5", reason: str = "welcome", proof: str = PASSWORD) -> int:
    form = {"amount": amount, "credit_reason": reason, "credit_proof": proof}
    return operator.post(f"/admin/accounts/{subject}/credits", form).status_code


def left(app: Flask, subject: int) -> int:
    return credits.balance(app.extensions["llmrack"].store, subject).left_nanousd


def test_for_everybody_else_there_is_nothing(visitor: Visitor, member: Visitor, subject: int) -> None:
    stranger = Visitor(visitor.app, "10.251.0.1")
    for who in (stranger, member):
        nothing = who.get("/admin-is-not-here")
        for path in PATHS:
            answer = who.get(path)
            assert answer.status_code == 404
            assert answer.text == nothing.text
            assert sorted(answer.headers.keys()) == sorted(nothing.headers.keys())
        for change in CHANGES:
            path = f"/admin/accounts/{subject}/{change}"
            assert who.send(path, {}).status_code == 404
            assert who.post(path).status_code == 404


def test_the_operator_sees_every_page(operator: Visitor, subject: int) -> None:
    for path in PATHS:
        assert operator.get(path).status_code == 200
    assert 'href="/admin"' in operator.get("/dashboard").text
    assert operator.get("/admin/accounts/999999999").status_code == 404
    assert operator.get("/admin").headers["Cache-Control"] == "no-store"


def test_changes_need_the_token_of_a_form(operator: Visitor, subject: int) -> None:
    for change in CHANGES:
        assert operator.send(f"/admin/accounts/{subject}/{change}", {}).status_code == 403


def test_credits_are_given_with_a_reason_and_the_password(
    app: Flask, operator: Visitor, subject: int, email: str
) -> None:
    store = app.extensions["llmrack"].store
    assert give(operator, subject, "5", "for the outage") == 303
    assert give(operator, subject, "-1.50", "one too many") == 303
    assert left(app, subject) == 3_500_000_000
    acts = audit.entries(store, account_id=subject, has_owners=False)
    assert [(act.actor, act.action, act.detail) for act in acts] == [
        (email, "credits.grant", "-1.50 USD: one too many"),
        (email, "credits.grant", "5.00 USD: for the outage"),
    ]
    page = operator.get(f"/admin/accounts/{subject}").text
    assert "for the outage" in page
    assert "credits.grant" in operator.get("/admin/audit").text


@pytest.mark.parametrize(
    "form",
    [
        {"proof": "wrong"},
        {"proof": ""},
        {"reason": ""},
        {"reason": "x" * 201},
        {"amount": "0"},
        {"amount": ""},
        {"amount": "1e3"},
        {"amount": "9999999"},
    ],
)
def test_a_grant_that_is_not_complete_gives_nothing(
    app: Flask, operator: Visitor, subject: int, form: dict[str, str]
) -> None:
    assert give(operator, subject, **form) == 400
    assert left(app, subject) == 0


def test_a_plan_is_set_until_a_day(app: Flask, operator: Visitor, subject: int, email: str) -> None:
    context: AppContext = app.extensions["llmrack"]
    until = (datetime.now(UTC) + timedelta(days=3)).date()
    path = f"/admin/accounts/{subject}/plan"
    form = {"plan": "business", "until": until.isoformat(), "plan_reason": "a trial", "plan_proof": PASSWORD}
    for change in ({"plan_proof": "wrong"}, {"until": "2020-01-01"}, {"plan": "gold"}, {"plan_reason": ""}):
        assert operator.post(path, form | change).status_code == 400
    assert operator.post(path, form).status_code == 303
    terms = checkout.terms(Billing(context.store, context.plans), subject, datetime.now(UTC))
    assert (terms.plan.id, terms.ends_at.date(), terms.next_plan.id) == ("business", until, "free")
    assert [act.action for act in audit.entries(context.store, account_id=subject)] == ["plan.set", "account.create"]


def test_a_disabled_account_is_out_at_once_and_can_come_back(
    app: Flask, operator: Visitor, another: Callable[[], Visitor], subject: int
) -> None:
    context: AppContext = app.extensions["llmrack"]
    person = another()
    person.sign_in(people.get(context.store, subject).email)
    assert person.is_signed_in()
    assert "Disable this account" in operator.get(f"/admin/accounts/{subject}/disable").text
    assert operator.post(f"/admin/accounts/{subject}/disable", {"reason": " "}).status_code == 400
    assert person.is_signed_in()
    operator.post(f"/admin/accounts/{subject}/disable", {"reason": "It sends spam."})
    assert not person.is_signed_in()
    refused = person.sign_in(people.get(context.store, subject).email)
    assert refused.status_code == 403
    assert "This account is disabled. The reason: It sends spam." in refused.text
    assert "It sends spam." not in person.sign_in(people.get(context.store, subject).email, "a wrong password").text
    assert "It sends spam." in operator.get(f"/admin/accounts/{subject}").text
    operator.post(f"/admin/accounts/{subject}/enable")
    assert [act.action for act in audit.entries(context.store, account_id=subject)] == [
        "account.enable",
        "account.disable",
        "account.create",
    ]
    assert person.sign_in(people.get(context.store, subject).email).status_code == 303


def test_operators_do_not_lock_themselves_out(app: Flask, operator: Visitor, email: str) -> None:
    own = accounts.find(app.extensions["llmrack"].store, email).id
    operator.post(f"/admin/accounts/{own}/disable", {"reason": "me"})
    assert operator.is_signed_in()


def test_a_key_is_revoked_with_a_reason_and_only_through_its_own_account(
    app: Flask, operator: Visitor, another: Callable[[], Visitor], subject: int
) -> None:
    context: AppContext = app.extensions["llmrack"]
    issued = made.key(context.store, name="leaked", mode="live", account_id=subject)
    other = make_person(app, f"other{datetime.now(UTC).timestamp()}@example.com")
    why = {"reason": "It is in a public repository."}
    assert operator.get(f"/admin/accounts/{other}/keys/{issued.key.id}/revoke").status_code == 404
    assert operator.post(f"/admin/accounts/{other}/keys/{issued.key.id}/revoke", why).status_code == 404
    assert "Revoke “leaked”?" in operator.get(f"/admin/accounts/{subject}/keys/{issued.key.id}/revoke").text
    assert operator.post(f"/admin/accounts/{subject}/keys/{issued.key.id}/revoke").status_code == 400
    assert operator.post(f"/admin/accounts/{subject}/keys/{issued.key.id}/revoke", why).status_code == 303
    person = another()
    person.sign_in(people.get(context.store, subject).email)
    assert "It is in a public repository." in person.get("/dashboard/keys").text
    (found,) = [key for key in keys.list_all(context.store) if key.id == issued.key.id]
    assert found.revoked_at is not None
    act = audit.entries(context.store, account_id=subject)[0]
    assert (act.action, act.detail) == ("key.revoke", f"key {issued.key.id}, leaked: It is in a public repository.")


def test_a_refused_payment_stays_in_sight_however_much_is_done_after_it(
    app: Flask, operator: Visitor, subject: int
) -> None:
    store, now = app.extensions["llmrack"].store, datetime.now(UTC)
    audit.note(store, audit.Act("payments", "payment.refused", subject, "sub_1 has a price we never asked for"), now)
    for number in range(210):
        audit.note(store, audit.Act("terminal:ada", "key.create", subject, f"key {number}"), now)
    assert "sub_1 has a price we never asked for" in operator.get("/admin").text


def test_accounts_are_found_by_part_of_their_address(app: Flask, operator: Visitor) -> None:
    make_person(app, "Grace.Hopper@example.com".lower())
    assert "grace.hopper@example.com" in operator.get("/admin/accounts?q=HOPPER").text
    assert "grace.hopper@example.com" not in operator.get("/admin/accounts?q=lovelace").text
    assert "No account fits" in operator.get("/admin/accounts?q=%25").text


def test_an_operator_without_a_second_factor_is_warned_on_every_page(operator: Visitor, subject: int) -> None:
    for path in (*PATHS[:3], f"/admin/accounts/{subject}"):
        assert "You sign in with a password alone" in operator.get(path).text
    assert "You sign in with a password alone" not in operator.get("/dashboard").text


def test_where_a_second_factor_is_required_the_pages_of_operators_open_with_it_only(tmp_path: Path) -> None:
    app = make_app(tmp_path, operator_second_factor="require")
    context: AppContext = app.extensions["llmrack"]
    try:
        ada_id, bob_id = make_person(app, "ada@example.com"), make_person(app, "bob@example.com")
        people.set_operator(context.store, ada_id, True, datetime.now(UTC), actor="tests")
        ada, bob = Visitor(app), Visitor(app, "10.252.0.1")
        ada.sign_in("ada@example.com")
        bob.sign_in("bob@example.com")
        assert bob.get("/admin").status_code == 404
        for path in PATHS:
            assert ada.get(path).location == "/dashboard/settings/second-factor"
        for change in ("credits", "plan", "disable"):
            assert ada.post(f"/admin/accounts/{bob_id}/{change}").location == "/dashboard/settings/second-factor"
        assert "need a second factor" in ada.get("/dashboard/settings/second-factor").text
        now = datetime.now(UTC)
        totp.begin(context.store, ada_id)
        server = app.config["SECRET_KEY"]
        code = pyotp.TOTP(totp.secret(context.store, server, ada_id)).at(now)
        assert totp.confirm(context.store, server, ada_id, code, now)
        assert ada.get("/admin").status_code == 200
        assert "You sign in with a password alone" not in ada.get("/admin").text
    finally:
        close(app)
