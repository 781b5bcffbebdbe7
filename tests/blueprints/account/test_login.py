"""Signing in and out, the second factor, throttling, and when a session ends."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median

import pyotp
import pytest
from flask import Flask
from sqlalchemy import update

from llmrack.accounts import accounts, people, sessions, throttle, totp
from llmrack.inference.context import AppContext
from llmrack.store.tables.accounts import WebSession
from tests.blueprints.conftest import Post
from tests.support.visitor import PASSWORD, Visitor, link_in, make_person


def test_a_wrong_password_and_an_unknown_address_get_the_same_page(
    app: Flask, another: Callable[[], Visitor], email: str
) -> None:
    make_person(app, email)
    pages = []
    for who in (email, f"x{email}"):
        page = another().sign_in(who, "wrong password")
        assert page.status_code == 400
        pages.append(re.sub(r'csrf_token" value="[^"]+"', "", page.text).replace(who, "WHO"))
    assert pages[0] == pages[1]


def test_signing_in_leads_to_where_one_was_going(visitor: Visitor, app: Flask, email: str) -> None:
    make_person(app, email)
    asked = visitor.get("/dashboard/usage?range=7d")
    assert asked.headers["Location"] == "/login?next=/dashboard/usage?range%3D7d"
    done = visitor.post("/login", {"email": email, "password": PASSWORD, "next": "/dashboard/usage?range=7d"})
    assert done.headers["Location"] == "/dashboard/usage?range=7d"


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "evil", "/\n/evil"]
)
def test_no_other_site_can_be_the_next_page(visitor: Visitor, app: Flask, email: str, target: str) -> None:
    make_person(app, email)
    done = visitor.post("/login", {"email": email, "password": PASSWORD, "next": target})
    assert done.headers["Location"] == "/dashboard"


def old_cookie(visitor: Visitor, member: Visitor) -> Visitor:
    """A browser with a copy of the member's cookies."""
    cookie = member.client.get_cookie("llmrack")
    assert cookie is not None
    visitor.client.set_cookie("llmrack", cookie.value)
    assert visitor.is_signed_in()
    return visitor


@pytest.mark.parametrize("event", ["logout", "password", "reset", "disable", "end", "end others", "delete"])
def test_an_old_cookie_is_refused_at_once_after(
    event: str, member: Visitor, another: Callable[[], Visitor], post: Post, email: str, context: AppContext
) -> None:
    thief = old_cookie(another(), member)
    me = people.find(context.store, email)
    assert me is not None
    if event == "logout":
        member.post("/logout")
    elif event == "password":
        form = {"current": PASSWORD, "password": "another good password"}
        assert member.post("/dashboard/settings/password", form).status_code == 303
        assert member.is_signed_in()
    elif event == "reset":
        other = another()
        other.post("/reset", {"email": email})
        token = link_in(post.last(email)).partition("=")[2]
        done = other.post("/reset/new", {"token": token, "password": "another good password"})
        assert done.headers["Location"] == "/login"
    elif event == "disable":
        accounts.disable(context.store, me.account_id, "a test", datetime.now(UTC), actor="tests")
    elif event == "delete":
        member.post("/dashboard/settings/delete", {"proof": PASSWORD})
    else:
        mine = sessions.list_all(context.store, me.account_id, datetime.now(UTC))[0].id
        other = another()
        other.sign_in(email)
        other.post(
            "/dashboard/settings/sessions/end" if event == "end others" else f"/dashboard/settings/sessions/{mine}/end"
        )
    started = time.perf_counter()
    assert not thief.is_signed_in()
    assert time.perf_counter() - started < 1


def test_every_sign_in_is_a_new_session(member: Visitor, email: str, context: AppContext) -> None:
    before = member.client.get_cookie("llmrack")
    member.client.delete_cookie("llmrack_device")
    member.post("/logout")
    member.sign_in(email)
    after = member.client.get_cookie("llmrack")
    assert before is not None
    assert after is not None
    assert before.value != after.value


def test_a_session_ends_after_two_weeks_without_use(member: Visitor, context: AppContext, email: str) -> None:
    with context.store.write() as connection:
        connection.exec_driver_sql(
            "UPDATE web_sessions SET seen_at = seen_at - ? "
            "WHERE account_id = (SELECT id FROM accounts WHERE email = ?)",
            (int(sessions.IDLE.total_seconds()) * 1_000_000, email),
        )
    assert not member.is_signed_in()


def test_guessing_is_stopped_after_ten_tries_whatever_the_address(
    app: Flask, another: Callable[[], Visitor], email: str, context: AppContext
) -> None:
    """A thousand guesses from fifty places: ten are looked at, and the owner still gets in both ways."""
    make_person(app, email)
    owner = another()
    assert owner.sign_in(email).status_code == 303
    owner.post("/logout")
    strangers = [another() for _ in range(50)]
    tokens = [stranger.token() for stranger in strangers]
    statuses = [
        stranger.send("/login", {"email": email, "password": f"guess number {count}", "csrf_token": token}).status_code
        for count in range(20)
        for stranger, token in zip(strangers, tokens, strict=True)
    ]
    assert len(statuses) == 1000
    assert statuses.count(400) == 10
    assert statuses.count(429) == 990
    assert owner.sign_in(email).status_code == 303


def test_the_owner_can_reset_the_password_while_strangers_guess(
    app: Flask, another: Callable[[], Visitor], post: Post, email: str
) -> None:
    make_person(app, email)
    stranger, owner = another(), another()
    for _ in range(11):
        refused = stranger.sign_in(email, "wrong password")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) <= 900
    assert owner.sign_in(email).status_code == 429
    owner.post("/reset", {"email": email})
    token = link_in(post.last(email)).partition("=")[2]
    owner.post("/reset/new", {"token": token, "password": "another good password"})
    assert owner.sign_in(email, "another good password").status_code == 303


def timed(visitor: Visitor, path: str, form: dict[str, str]) -> tuple[float, int, str, bytes]:
    started = time.perf_counter()
    answer = visitor.send(path, form)
    elapsed_s = time.perf_counter() - started
    body = re.sub(rb'csrf_token" value="[^"]+"', b"", answer.data).replace(form["email"].encode(), b"WHO")
    return elapsed_s, answer.status_code, answer.headers.get("Location", ""), body


@pytest.mark.parametrize("path", ["/login", "/signup", "/reset"])
def test_nobody_learns_by_content_or_time_whether_an_address_has_an_account(
    app: Flask, another: Callable[[], Visitor], post: Post, path: str, record_property: Callable[[str, object], None]
) -> None:
    """200 requests for known and 200 for unknown addresses: equal answers, medians less than 5 ms apart."""
    known = [f"known{number}{path[1:]}@example.com" for number in range(200)]
    hashed = people.passwords.hash_password(PASSWORD)
    for who in known:
        make_known(app, who, hashed)
    unknown = [who.replace("known", "other") for who in known]
    seconds: dict[str, list[float]] = {"known": [], "unknown": []}
    answers = set()
    for pair in zip(known, unknown, strict=True):
        visitor = another()
        token = visitor.token(path)
        for kind, who in zip(seconds, pair, strict=True):
            form = {"email": who, "password": "wrong but long enough", "csrf_token": token}
            elapsed_s, *answer = timed(visitor, path, form)
            seconds[kind].append(elapsed_s)
            answers.add(tuple(answer))
    assert len(answers) == 1
    gap_ms = abs(median(seconds["known"]) - median(seconds["unknown"])) * 1000
    record_property("gap_ms", round(gap_ms, 2))
    print(f"{path}: medians {[round(median(s) * 1000, 2) for s in seconds.values()]} ms, {gap_ms:.2f} ms apart")
    assert gap_ms < 5


def make_known(app: Flask, email: str, password_hash: str) -> None:
    """An account without the time a hash takes."""
    context: AppContext = app.extensions["llmrack"]
    with context.store.write() as connection:
        row = connection.exec_driver_sql(
            "INSERT INTO accounts (name, email, created_at, uses_credits) VALUES (?, ?, 0, 0) RETURNING id",
            (email, email),
        ).fetchall()[0]
        connection.exec_driver_sql(
            "INSERT INTO logins (account_id, password_hash, password_changed_at, is_operator, wants_budget_mail)"
            " VALUES (?, ?, 0, 0, 0)",
            (row[0], password_hash),
        )


def switch_on(member: Visitor, context: AppContext, email: str) -> tuple[str, list[str]]:
    """Set a second factor up through its pages; its secret and recovery codes."""
    member.post("/dashboard/settings/second-factor/begin", {"proof": PASSWORD})
    page = member.get("/dashboard/settings/second-factor")
    secret = re.search(r'class="totp-secret">([A-Z2-7]+)<', page.text)
    assert secret is not None
    assert "<svg" in page.text
    shown = member.post("/dashboard/settings/second-factor", {"code": pyotp.TOTP(secret[1]).now()})
    codes = re.findall(r"^(?:.*>)?([a-z2-7]{4}(?:-[a-z2-7]{4}){3})", shown.text, re.MULTILINE)
    assert len(codes) == 10
    return secret[1], codes


def test_the_second_factor_asks_for_a_code_that_works_once(
    member: Visitor, another: Callable[[], Visitor], email: str, context: AppContext
) -> None:
    secret, codes = switch_on(member, context, email)
    other = another()
    assert other.sign_in(email).headers["Location"] == "/login/code"
    assert not other.is_signed_in()
    used = pyotp.TOTP(secret).now()
    assert other.post("/login/code", {"code": used}).status_code == 400
    assert other.post("/login/code", {"code": "000000"}).status_code == 400
    assert other.post("/login/code", {"code": codes[0].replace("-", " ").upper()}).headers["Location"] == "/dashboard"
    third = another()
    third.sign_in(email)
    assert third.post("/login/code", {"code": codes[0]}).status_code == 400
    assert third.post("/login/code", {"code": codes[1]}).status_code == 303
    account_id = people.find(context.store, email).account_id  # type: ignore[union-attr]
    assert totp.left(context.store, account_id) == 8


def test_codes_cannot_be_guessed_for_long(
    member: Visitor, another: Callable[[], Visitor], email: str, context: AppContext
) -> None:
    switch_on(member, context, email)
    other = another()
    other.sign_in(email)
    statuses = [other.post("/login/code", {"code": f"{number:06}"}).status_code for number in range(10)]
    assert statuses == [400] * throttle.SECOND_FACTOR.tries + [429] * 4


def test_the_second_factor_goes_off_with_the_password_only(member: Visitor, email: str, context: AppContext) -> None:
    switch_on(member, context, email)
    assert member.post("/dashboard/settings/second-factor/off", {"proof": "wrong"}).status_code == 400
    assert people.find(context.store, email).has_second_factor  # type: ignore[union-attr]
    assert member.post("/dashboard/settings/second-factor/codes", {"proof": PASSWORD}).status_code == 200
    assert member.post("/dashboard/settings/second-factor/off", {"proof": PASSWORD}).status_code == 303
    assert not people.find(context.store, email).has_second_factor  # type: ignore[union-attr]


def test_nobody_gets_a_code_page_without_the_password(visitor: Visitor) -> None:
    assert visitor.get("/login/code").headers["Location"] == "/login"
    assert visitor.post("/login/code", {"code": "123456"}).headers["Location"] == "/login"


def test_the_second_factor_is_switched_on_with_the_password_only(member: Visitor) -> None:
    refused = member.post("/dashboard/settings/second-factor/begin", {"proof": "wrong password"})
    assert refused.status_code == 400
    assert member.post("/dashboard/settings/second-factor/begin", {"proof": PASSWORD}).status_code == 303


def test_a_half_done_sign_in_ends_when_the_password_changes(
    app: Flask, visitor: Visitor, context: AppContext, email: str
) -> None:
    account_id = make_person(app, email)
    totp.begin(context.store, account_id)
    secret = totp.secret(context.store, app.config["SECRET_KEY"], account_id)
    assert secret is not None
    now = datetime.now(UTC)
    codes = totp.confirm(context.store, app.config["SECRET_KEY"], account_id, pyotp.TOTP(secret).at(now), now)
    assert visitor.sign_in(email).headers["Location"] == "/login/code"
    people.set_password(context.store, account_id, "another good password", now)
    assert visitor.post("/login/code", {"code": codes[0]}).headers["Location"] == "/login"
    assert not visitor.is_signed_in()


def test_a_new_address_ends_links_to_the_old_one_and_other_browsers(
    member: Visitor, another: Callable[[], Visitor], post: Post, email: str
) -> None:
    other = another()
    other.sign_in(email)
    other.post("/reset", {"email": email})
    old = link_in(post.last(email, "password"))
    member.post("/dashboard/settings/email", {"email": f"new-{email}", "email_password": PASSWORD})
    member.post("/confirm-email", {"token": link_in(post.last(f"new-{email}")).partition("=")[2]})
    assert member.get(old).status_code == 404
    assert member.is_signed_in()
    assert not other.is_signed_in()


def test_the_fifty_first_browser_ends_the_oldest(context: AppContext, app: Flask, email: str) -> None:
    account_id = make_person(app, email)
    now = datetime.now(UTC)
    opened = [sessions.start(context.store, account_id, now) for _ in range(sessions.MOST + 1)]
    assert sessions.find(context.store, opened[0], now) is None
    assert len(sessions.list_all(context.store, account_id, now)) == sessions.MOST


def test_after_a_reset_the_browser_gets_in_while_others_try_passwords(
    app: Flask, visitor: Visitor, another: Callable[[], Visitor], post: Post, email: str
) -> None:
    make_person(app, email)
    visitor.post("/reset", {"email": email})
    token = link_in(post.last(email, "password")).partition("=")[2]
    visitor.post("/reset/new", {"token": token, "password": "another good password"})
    stranger = another()
    for _ in range(11):
        stranger.sign_in(email, "wrong password")
    assert visitor.sign_in(email, "another good password").status_code == 303
    assert visitor.is_signed_in()


def test_a_second_factor_is_confirmed_within_ten_minutes_of_the_password(
    member: Visitor, context: AppContext, email: str
) -> None:
    person = people.find(context.store, email)
    assert person is not None
    member.post("/dashboard/settings/second-factor/begin", {"proof": PASSWORD})
    page = member.get("/dashboard/settings/second-factor")
    secret = re.search(r'class="totp-secret">([A-Z2-7]+)<', page.text)
    assert secret is not None
    with context.store.write() as connection:
        earlier = datetime.now(UTC) - timedelta(minutes=11)
        mine = update(WebSession).where(WebSession.account_id == person.account_id)
        connection.execute(mine.values(proved_at=earlier))
    assert "totp-secret" not in member.get("/dashboard/settings/second-factor").text
    late = member.post("/dashboard/settings/second-factor", {"code": pyotp.TOTP(secret[1]).now()})
    assert late.status_code == 303
    assert not people.get(context.store, person.account_id).has_second_factor
    switch_on(member, context, email)
    assert people.get(context.store, person.account_id).has_second_factor
