"""Signing up, in and out. Where mail can be sent, what is said never tells whether an address has an account here."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request, session, url_for

from llmrack.accounts import links, people, sessions, throttle, tokens, totp
from llmrack.accounts.people import Person
from llmrack.accounts.throttle import TooMany

from ..extensions import context, identity_providers, mailer
from ..web import csrf, mail
from . import arrival, leaving, verification, web_session
from .forms import CodeForm, LoginForm, SignupForm

bp = Blueprint("account", __name__)
csrf.protect(bp)

WRONG = "The e-mail address or the password is wrong."
WELCOME = "Your account is made, and you are signed in. Generate a key to use the API."
KNOWN = "This address has an account here already. Sign in with its password."
OPERATORS_ONLY = "Passwords are for operators on this server. Sign in with one of the buttons instead."


@bp.get("/signup")
def signup() -> Any:
    if web_session.is_signed_in():
        return redirect(url_for("dashboard.overview"))
    return render_template("account/signup.html", form=SignupForm(), is_open=_is_open())


@bp.post("/signup")
def sign_up() -> Any:
    if web_session.is_signed_in():
        return redirect(url_for("dashboard.overview"), 303)
    form = SignupForm()
    if not _is_open() or not form.validate():
        return render_template("account/signup.html", form=form, is_open=_is_open()), 400
    now = datetime.now(UTC)
    try:
        throttle.take(context.store, now, (throttle.SIGNUP_ADDRESS, throttle.network(request.remote_addr)))
    except TooMany as refusal:
        return _too_many("account/signup.html", form, refusal, is_open=True)
    email = form.email.data or ""
    account_id = people.sign_up(context.store, email, form.password.data or "", now)
    session["signup"], session["email"] = tokens.make(), email
    if account_id is not None:
        verification.send(account_id, email, session["signup"])
    elif _may_mail(email):
        mail.send("known", email)
    if mailer.is_configured:
        return redirect(url_for(".signup_sent"), 303)
    # No mail is read first, so a try to sign in would tell a new address from a known one anyway.
    if account_id is None:
        flash(KNOWN, "warn")
        return redirect(url_for(".login"), 303)
    response = arrival.welcome(people.get(context.store, account_id), request.form.get("next", ""), "keys.index")
    flash(WELCOME, "good")
    return response


def _is_open() -> bool:
    """Whether strangers may make an account with a password; an invite to a team opens it for one person."""
    is_local = context.settings.local_sign_in == "everyone"
    return is_local and (bool(context.settings.signup) or web_session.invite() is not None)


def _may_mail(email: str) -> bool:
    try:
        throttle.take(context.store, datetime.now(UTC), (throttle.MAIL_ACCOUNT, email))
    except TooMany:
        return False
    return True


CLAIMED = (
    "Your address is confirmed. You confirmed it in another browser than the one that signed up, so everything that was"
    " made before has ended. Choose a password to go on."
)


@bp.get("/signup/sent")
def signup_sent() -> Any:
    return render_template("account/signup_sent.html", email=session.get("email"))


@bp.get("/verify")
def verify() -> Any:
    """Only shows a button: mail scanners open every link they see."""
    token = request.args.get("token", "")
    found = links.peek(context.store, token, links.VERIFY, datetime.now(UTC))
    claims = found is not None and _claims(found)
    return render_template("account/verify.html", found=found, token=token, claims=claims), 200 if found else 404


@bp.post("/verify")
def use_verification() -> Any:
    token, now = request.form.get("token", ""), datetime.now(UTC)
    found = links.peek(context.store, token, links.VERIFY, now)
    claims = found is not None and _claims(found)
    found = people.verify(context.store, token, now, claims=claims)
    if found is None:
        return render_template("account/verify.html", found=None, token=""), 404
    if claims:
        return _ask_for_password(found, now)
    if web_session.is_signed_in_to(found.account_id):
        return redirect(web_session.home("keys.index"), 303)
    # The reader of the mail is not always who chose the password: only the browser that signed up goes on at once.
    person = people.get(context.store, found.account_id)
    if _signed_up_here(found) and not person.has_second_factor:
        web_session.sign_in(found.account_id)
        flash("Your address is confirmed.", "good")
        return redirect(web_session.home("keys.index"), 303)
    session["email"] = found.email
    flash("Your address is confirmed. Sign in to go on.", "good")
    return redirect(url_for(".login"), 303)


def _signed_up_here(found: links.LinkFacts) -> bool:
    browser = session.get("signup")
    return bool(browser and found.browser_sha256 == tokens.digest(browser))


def _claims(found: links.LinkFacts) -> bool:
    """Whether using this link ends what was made before: in a browser that neither signed up nor is signed in."""
    is_own = _signed_up_here(found) or web_session.is_signed_in_to(found.account_id)
    return not (is_own or people.get(context.store, found.account_id).is_verified)


def _ask_for_password(found: links.LinkFacts, now: datetime) -> Any:
    """The mail was read in another browser than the one that signed up, which need not be the same person's."""
    web_session.note("the account was claimed by its address", found.account_id)
    token = links.make(context.store, found.account_id, links.RESET, found.email, now)
    flash(CLAIMED, "good")
    return redirect(url_for("recovery.choose", token=token), 303)


@bp.get("/login")
def login() -> Any:
    if web_session.is_signed_in():
        return redirect(web_session.next_page("dashboard.overview"))
    form = LoginForm(email=session.get("email"))
    return render_template("account/login.html", form=form, target=request.args.get("next", ""))


@bp.post("/login")
def log_in() -> Any:
    form, target = LoginForm(), request.form.get("next", "")
    if not form.validate():
        return render_template("account/login.html", form=form, target=target), 400
    email, now = form.email.data or "", datetime.now(UTC)
    mark = web_session.device(email, current_app.config)
    counts = (
        ((throttle.LOGIN_DEVICE, mark),)
        if mark
        else ((throttle.LOGIN_ACCOUNT, email), (throttle.LOGIN_ADDRESS, throttle.network(request.remote_addr)))
    )
    try:
        throttle.take(context.store, now, *counts)
    except TooMany as refusal:
        return _too_many("account/login.html", form, refusal, target=target)
    person = people.authenticate(context.store, email, form.password.data or "")
    if person is None:
        web_session.note("a sign-in was refused: address or password")
        return render_template("account/login.html", form=form, target=target, failure=WRONG), 400
    throttle.forget(context.store, counts[0])
    if context.settings.local_sign_in == "operators" and not person.is_operator:
        web_session.note("a sign-in was refused: passwords are for operators", person.account_id)
        return render_template("account/login.html", form=form, target=target, failure=OPERATORS_ONLY), 403
    try:
        return arrival.enter(person, target)
    except arrival.Disabled as refusal:
        return render_template("account/login.html", form=form, target=target, failure=str(refusal)), 403


@bp.get("/login/code")
def code() -> Any:
    if _waiting() is None:
        return redirect(url_for(".login"))
    return render_template("account/code.html", form=CodeForm(), target=session["second"]["next"])


@bp.post("/login/code")
def check_code() -> Any:
    person, form, now = _waiting(), CodeForm(), datetime.now(UTC)
    if person is None:
        return redirect(url_for(".login"), 303)
    target, provider_id = session["second"]["next"], session["second"].get("provider", "")
    if not form.validate():
        return render_template("account/code.html", form=form, target=target), 400
    count = (throttle.SECOND_FACTOR, str(person.account_id))
    try:
        throttle.take(context.store, now, count)
    except TooMany as refusal:
        return _too_many("account/code.html", form, refusal, target=target)
    text, secret = form.code.data or "", current_app.config["SECRET_KEY"]
    is_right = totp.check(context.store, secret, person.account_id, text, now)
    if not is_right and not totp.recover(context.store, person.account_id, text):
        web_session.note("a sign-in was refused: second factor", person.account_id)
        form.code.errors = ["This code is wrong, was used already, or is too old."]
        return render_template("account/code.html", form=form, target=target), 400
    throttle.forget(context.store, count)
    return arrival.welcome(person, target, provider_id=provider_id)


def _waiting() -> Person | None:
    """Who gave the right password in this browser a moment ago."""
    second = session.get("second")
    if not second or time.time() - second["at"] > arrival.SECOND_FACTOR_S:
        return None
    try:
        person = people.get(context.store, second["account"])
    except people.NoSuchPerson:
        return None
    is_still_proved = second.get("proved") == tokens.digest(person.password_hash)
    return None if person.is_disabled or not is_still_proved else person


@bp.post("/logout")
def logout() -> Any:
    if web_session.is_signed_in():
        web_session.note("signed out", web_session.viewer().person_id)
        sessions.end(context.store, web_session.viewer().person_id, web_session.viewer().session_id)
    provider = identity_providers.get(session.get("provider", ""))
    session.clear()
    return leaving.sign_out(provider) or redirect(url_for(".login"), 303)


def _too_many(template: str, form: Any, refusal: TooMany, **values: Any) -> Any:
    web_session.note("too many attempts")
    text = render_template(template, form=form, failure=str(refusal), **values)
    return text, 429, {"Retry-After": str(refusal.retry_after_s)}
