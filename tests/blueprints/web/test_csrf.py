"""What every page behind a session refuses and promises: foreign forms, foreign ids, extra fields, copies in caches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask

from blueprints.site import playground
from llmrack.accounts import people, sessions
from llmrack.inference.context import AppContext
from llmrack.keys import authentication, keys
from llmrack.metering.meter import Admission, Settlement
from llmrack.store.tables.accounts import Login
from llmrack.store.tables.usage import Account, Balance, Key
from tests.support.visitor import PASSWORD, Visitor, make_person

PRIVATE = ("account", "recovery", "dashboard", "keys", "usage", "profile")
# Every form that changes something, with what it needs to be accepted.
CHANGES = {
    "/signup": {"email": "mallory@example.com", "password": PASSWORD},
    "/login": {"email": "mallory@example.com", "password": PASSWORD},
    "/login/code": {"code": "123456"},
    "/logout": {},
    "/verify": {"token": "x"},
    "/reset": {"email": "mallory@example.com"},
    "/reset/new": {"token": "x", "password": PASSWORD},
    "/confirm-email": {"token": "x"},
    "/dashboard/keys": {"name": "k", "mode": "test", "permissions": "all", "expiry": ""},
    "/dashboard/keys/review": {},
    "/dashboard/keys/{key}": {"name": "changed", "permissions": "all", "expiry": ""},
    "/dashboard/keys/{key}/pause": {},
    "/dashboard/keys/{key}/resume": {},
    "/dashboard/keys/{key}/revoke": {},
    "/dashboard/keys/{key}/rotate": {},
    "/dashboard/settings/name": {"name": "changed"},
    "/dashboard/settings/email": {"email": "new@example.com", "email_password": PASSWORD},
    "/dashboard/settings/password": {"current": PASSWORD, "password": "another good password"},
    "/dashboard/settings/verification": {},
    "/dashboard/settings/mails": {},
    "/dashboard/settings/sessions/{session}/end": {},
    "/dashboard/settings/sessions/end": {},
    "/dashboard/settings/second-factor/begin": {},
    "/dashboard/settings/second-factor": {"code": "123456"},
    "/dashboard/settings/second-factor/codes": {"proof": PASSWORD},
    "/dashboard/settings/second-factor/off": {"proof": PASSWORD},
    "/dashboard/settings/delete": {"proof": PASSWORD},
}


def rules(app: Flask, method: str) -> Iterator[str]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint.split(".")[0] in PRIVATE and method in (rule.methods or ()):
            yield re.sub(r"<row:(key|session)_id>", r"{\1}", rule.rule)


def test_the_table_above_has_every_change(app: Flask) -> None:
    assert set(rules(app, "POST")) == set(CHANGES)


def state_of(context: AppContext) -> list[object]:
    with context.store.read() as connection:
        return [list(connection.execute(table.__table__.select())) for table in (Account, Balance, Login, Key)]


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize(
    "how", ["no token", "wrong token", "another's token", "another site", "another origin", "sibling"]
)
def test_a_form_without_its_token_or_from_another_site_is_403(
    path: str, how: str, member: Visitor, another: Callable[[], Visitor], email: str, context: AppContext
) -> None:
    me = people.find(context.store, email)
    assert me is not None
    key = keys.issue(
        context.store,
        me.account_id,
        datetime.now(UTC),
        actor="tests",
        name="k",
        mode="test",
        permissions=("all",),
        expires_at=None,
        restrictions=keys.NO_RESTRICTIONS,
    ).key.id
    session = sessions.list_all(context.store, me.account_id, datetime.now(UTC))[0].id
    form, headers = dict(CHANGES[path]), {}
    if how == "wrong token":
        form["csrf_token"] = "x" * 40
    elif how == "another's token":
        form["csrf_token"] = another().token()
    elif how != "no token":
        form["csrf_token"] = member.token("/dashboard")
        headers = {
            "another site": {"Sec-Fetch-Site": "cross-site"},
            "another origin": {"Origin": "https://evil.example"},
            "sibling": {"Sec-Fetch-Site": "same-site", "Origin": "https://docs.localhost"},
        }[how]
    before = state_of(context)
    answer = member.send(path.format(key=key, session=session), form, headers)
    assert answer.status_code == 403
    assert "came from another site" in answer.text
    assert state_of(context) == before
    assert member.is_signed_in()


# These need no session and act for nobody: what they take is signed, or they are the anonymous demonstration.
WITHOUT_SESSION = ("v1", "ollama_api", "webhooks", "demo")


def test_every_form_of_every_blueprint_is_guarded(app: Flask, member: Visitor) -> None:
    """Also those that are added later: whoever adds one sees this test fail until it is guarded."""
    open_doors = []
    for rule in app.url_map.iter_rules():
        if "POST" not in (rule.methods or ()) or rule.endpoint.split(".")[0] in WITHOUT_SESSION:
            continue
        # The playground needs a token only for a key that the session vouches for.
        named = {"key_id": "1"}
        answer = member.send(re.sub(r"<(?:\w+:)?\w+>", "1", rule.rule), named, {playground.HEADER: "1"})
        # Pages for operators do not even exist for others.
        is_refused = answer.status_code == 403 or (rule.endpoint.startswith("admin.") and answer.status_code == 404)
        if not is_refused:
            open_doors.append((rule.rule, answer.status_code))
    assert open_doors == []


def test_numbers_no_row_can_have_are_nobodys(member: Visitor) -> None:
    huge = "9" * 25
    assert member.get(f"/dashboard/keys/{huge}").status_code == 404
    assert member.post(f"/dashboard/settings/sessions/{huge}/end", page="/dashboard").status_code == 404
    assert member.post("/playground", {"key_id": huge, "prompt": "hi"}, page="/dashboard").status_code == 401


@pytest.mark.parametrize("path", ["/dashboard/settings/name"])
@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_forms_of_our_own_pages_pass(path: str, site: str, member: Visitor) -> None:
    answer = member.post(path, {"name": "Ada"}, headers={"Sec-Fetch-Site": site, "Origin": "http://localhost"})
    assert answer.status_code == 303


def used(context: AppContext, secret: str, request_id: str) -> None:
    caller = authentication.resolve(context.store, context.plans, secret, datetime.now(UTC))
    model = next(iter(context.catalog))
    context.meter.admit(Admission(request_id, caller, "chat", model, 5, 5, None, False))
    context.meter.settle(request_id, Settlement("completed", 5, 5))


def test_nobody_sees_or_changes_what_belongs_to_another_account(
    app: Flask, another: Callable[[], Visitor], context: AppContext
) -> None:
    """Three people, each against every address with an id of the two others and of nobody."""
    now, three = datetime.now(UTC), []
    for number in range(3):
        email = f"owner{number}@example.com"
        account_id = make_person(app, email)
        visitor = another()
        visitor.sign_in(email)
        secret = visitor.key(name=f"canary-{number}")
        request_id = f"req_{number:032x}"
        used(context, secret, request_id)
        key_id = keys.of_account(context.store, account_id, now)[0].id
        session_id = sessions.list_all(context.store, account_id, now)[0].id
        three.append((visitor, {"key": key_id, "session": session_id, "request": request_id}))
    with_ids = [
        (method, rule.replace("<request_id>", "{request}"))
        for method in ("GET", "POST")
        for rule in rules(app, method)
        if "{" in rule or "<" in rule
    ]
    assert len(with_ids) == 10
    before, leaks, tried = state_of(context), [], 0
    nobody = {"key": 10**9, "session": 10**9, "request": "req_" + "f" * 32}
    for visitor, mine in three:
        for theirs in [ids for _, ids in three if ids is not mine] + [nobody]:
            for method, rule in with_ids:
                path = rule.format(**theirs)
                form = CHANGES.get(rule, {})
                answer = visitor.get(path) if method == "GET" else visitor.post(path, form, page="/dashboard")
                tried += 1
                if answer.status_code != 404 or "canary" in answer.text:
                    leaks.append((method, path, answer.status_code))
    print(f"owner matrix: {tried} requests, {len(leaks)} leaks")
    assert leaks == []
    assert state_of(context) == before
    for visitor, mine in three:
        assert visitor.get(f"/dashboard/keys/{mine['key']}").status_code == 200
        assert visitor.get(f"/dashboard/usage/requests/{mine['request']}").status_code == 200


def test_a_filter_by_somebody_elses_key_shows_nothing(
    app: Flask, another: Callable[[], Visitor], context: AppContext
) -> None:
    first, second = another(), another()
    for visitor, email in ((first, "filter1@example.com"), (second, "filter2@example.com")):
        make_person(app, email)
        visitor.sign_in(email)
    used(context, first.key(name="canary key"), "req_" + "e" * 32)
    account_id = people.find(context.store, "filter1@example.com").account_id  # type: ignore[union-attr]
    key_id = keys.of_account(context.store, account_id, datetime.now(UTC))[0].id
    for path in ("", "/requests", "/export.csv", "/export.json"):
        page = second.get(f"/dashboard/usage{path}?mode=test&key={key_id}")
        assert page.status_code == 200
        assert "canary" not in page.text
        assert "req_eee" not in page.text
        assert "req_eee" in first.get(f"/dashboard/usage/export.csv?mode=test&key={key_id}").text


EXTRA = {
    "plan": "business", "plan_id": "business", "is_operator": "1", "operator": "on", "balance": "1000000",
    "paid_nanousd": "10", "email_verified": "1", "verified_at": "1", "account_id": "1", "id": "1", "disabled_at": "",
    "secret_sha256": "0" * 64, "uses_credits": "1",
}  # fmt: skip


def test_fields_that_no_form_has_change_nothing(
    member: Visitor, another: Callable[[], Visitor], email: str, context: AppContext
) -> None:
    """Plan, role and balance go into every form, and as JSON: none of them arrives anywhere."""
    me = people.find(context.store, email)
    assert me is not None
    member.key()
    key = keys.of_account(context.store, me.account_id, datetime.now(UTC))[0].id

    def facts() -> list[object]:
        with context.store.read() as connection:
            account = Account.__table__
            columns = (account.c.plan_id, account.c.uses_credits, account.c.email, account.c.disabled_at)
            login = Login.__table__
            return [
                connection.execute(
                    account.select().with_only_columns(*columns).where(account.c.id == me.account_id)
                ).one(),
                connection.execute(
                    login.select()
                    .with_only_columns(login.c.is_operator, login.c.verified_at)
                    .where(login.c.account_id == me.account_id)
                ).one(),
                connection.execute(Balance.__table__.select().where(Balance.account_id == me.account_id)).one(),
            ]

    before = facts()
    gentle = [
        path for path in CHANGES if path not in ("/logout", "/dashboard/settings/delete", "/dashboard/settings/email")
    ]
    for path in gentle:
        form = CHANGES[path] | EXTRA
        if path == "/signup":
            form |= {"email": f"extra-{email}"}
        # Only strangers sign up.
        who = another() if path == "/signup" else member
        who.post(path.format(key=key, session=10**9), form, page="/dashboard" if who is member else None)
        token = member.token("/dashboard")
        member.client.post(
            path.format(key=key, session=10**9), json=EXTRA, headers={"X-CSRFToken": token, "Accept": "text/html"}
        )
        if path == "/dashboard/settings/password":
            member.post(path, {"current": "another good password", "password": PASSWORD}, page="/dashboard")
    assert facts() == before
    made = people.find(context.store, f"extra-{email}")
    assert made is not None
    assert not made.is_operator
    assert not made.is_verified
    with context.store.read() as connection:
        row = connection.execute(Account.__table__.select().where(Account.id == made.account_id)).one()
        assert row.plan_id is None
        assert not row.uses_credits


def test_private_pages_are_kept_by_nobody_and_carry_the_policy(app: Flask, member: Visitor) -> None:
    for path in sorted(set(rules(app, "GET"))):
        if "{" in path or "<" in path:
            continue
        page = member.get(path)
        assert page.headers["Cache-Control"] == "no-store", path
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]*\ssrc=)", page.text), path


def test_strangers_are_sent_to_sign_in(app: Flask, visitor: Visitor) -> None:
    for path in sorted(set(rules(app, "GET"))):
        if path.startswith("/dashboard"):
            answer = visitor.get(path.format(key=1, session=1).replace("<request_id>", "x"))
            assert answer.status_code == 303, path
            assert answer.headers["Location"].startswith("/login?next=/dashboard")


def test_the_api_ignores_cookies_and_sets_none(member: Visitor) -> None:
    answer = member.get("/v1/models")
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers
    assert "Vary" not in answer.headers or "Cookie" not in answer.headers["Vary"]
    assert member.post("/v1/chat/completions", {"x": "y"}, page="/dashboard").status_code == 401


def test_https_cookies_are_tied_to_the_host(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from flask_migrate import upgrade

    from app import create_app

    app = create_app({"instance_dir": str(tmp_path), "public_url": "https://llmrack.example", "log_level": "warning"})
    with app.app_context():
        upgrade()
    make_person(app, "ada@example.com")
    client = app.test_client()
    base = "https://llmrack.example"
    page = client.get("/login", base_url=base, headers={"Accept": "text/html"})
    found = re.search(r'csrf_token" value="([^"]+)"', page.text)
    assert found is not None
    done = client.post(
        "/login", base_url=base, data={"email": "ada@example.com", "password": PASSWORD, "csrf_token": found[1]}
    )
    cookies = done.headers.getlist("Set-Cookie")
    assert {cookie.split("=")[0] for cookie in cookies} == {"__Host-llmrack", "__Host-llmrack_device"}
    for cookie in cookies:
        assert "; Secure" in cookie
        assert "; HttpOnly" in cookie
        assert "; Path=/" in cookie
        assert "SameSite=Lax" in cookie
        assert "Domain" not in cookie
    app.extensions["llmrack"].store.engine.dispose()
