"""A forgotten password, and the link that confirms a new address."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request, session, url_for

from llmrack.accounts import links, passwords, people, sessions, throttle
from llmrack.accounts.throttle import TooMany
from llmrack.keys import keys

from ..extensions import context, mailer
from ..web import csrf, mail
from . import web_session
from .forms import NewPasswordForm, ResetForm

bp = Blueprint("recovery", __name__)
csrf.protect(bp)


@bp.get("/reset")
def ask() -> Any:
    return render_template("account/reset.html", form=ResetForm(email=session.get("email")))


@bp.post("/reset")
def send() -> Any:
    form, now = ResetForm(), datetime.now(UTC)
    if not form.validate():
        return render_template("account/reset.html", form=form), 400
    try:
        throttle.take(context.store, now, (throttle.MAIL_ADDRESS, throttle.network(request.remote_addr)))
    except TooMany as refusal:
        text = render_template("account/reset.html", form=form, failure=str(refusal))
        return text, 429, {"Retry-After": str(refusal.retry_after_s)}
    _send_link(form.email.data or "", now)
    return redirect(url_for(".sent"), 303)


def _send_link(email: str, now: datetime) -> None:
    """To an address that has an account, but not too often. Nothing shows which it was."""
    try:
        throttle.take(context.store, now, (throttle.MAIL_ACCOUNT, email))
    except TooMany:
        return
    person = people.find(context.store, email)
    if person is not None and not person.is_disabled:
        token = links.make(context.store, person.account_id, links.RESET, email, now)
        mail.send("reset", email, path=url_for("recovery.choose", token=token))


@bp.get("/reset/sent")
def sent() -> Any:
    return render_template("account/reset_sent.html", has_mail=mailer.is_configured)


@bp.get("/reset/new")
def choose() -> Any:
    token = request.args.get("token", "")
    found = links.peek(context.store, token, links.RESET, datetime.now(UTC))
    form = NewPasswordForm()
    return render_template("account/reset_new.html", form=form, found=found, token=token), 200 if found else 404


@bp.post("/reset/new")
def change() -> Any:
    form, token, now = NewPasswordForm(), request.form.get("token", ""), datetime.now(UTC)
    found = links.peek(context.store, token, links.RESET, now)
    if not form.validate():
        return render_template("account/reset_new.html", form=form, found=found, token=token), 400
    try:
        found = people.reset_password(context.store, token, form.password.data or "", now)
    except passwords.WeakPassword as error:
        form.password.errors = [str(error)]
        return render_template("account/reset_new.html", form=form, found=found, token=token), 400
    if found is None:
        return render_template("account/reset_new.html", form=form, found=None, token=""), 404
    web_session.note("the password was reset", found.account_id)
    throttle.forget(context.store, (throttle.LOGIN_ACCOUNT, found.email))
    mail.send("password_changed", found.email)
    session.clear()
    session["email"] = found.email
    flash("Your password is changed, and every browser is signed out. Sign in with the new one.", "good")
    working = keys.working(context.store, found.account_id, now)
    target = url_for("keys.review") if working else None
    # Others may be trying passwords from everywhere: this browser is its owner's, and is counted by itself.
    response: Any = redirect(url_for("account.login", next=target), 303)
    return web_session.remember_device(response, found.email, current_app.config)


@bp.get("/confirm-email")
def confirm_email() -> Any:
    token = request.args.get("token", "")
    found = links.peek(context.store, token, links.EMAIL, datetime.now(UTC))
    return render_template("account/confirm_email.html", found=found, token=token), 200 if found else 404


@bp.post("/confirm-email")
def change_email() -> Any:
    """Only in a browser that is signed in to the account: who reads the new address and who asked for it may be two
    people, and the first must not confirm what the second keeps."""
    token, now = request.form.get("token", ""), datetime.now(UTC)
    found = links.peek(context.store, token, links.EMAIL, now)
    if found is not None and not web_session.is_signed_in_to(found.account_id):
        flash("Sign in to the account whose address changes, then open the link again.", "bad")
        return redirect(url_for("account.login", next=url_for(".confirm_email", token=token)), 303)
    found = links.use(context.store, token, links.EMAIL, now)
    old = people.get(context.store, found.account_id).email if found else ""
    if found is None or not people.set_email(context.store, found.account_id, found.email, now, is_proved=True):
        return render_template("account/confirm_email.html", found=None, token=""), 404
    sessions.end_all(context.store, found.account_id, but=web_session.viewer().session_id)
    web_session.note("the address was changed", found.account_id)
    mail.send("email_changed", old, new=found.email)
    flash(f"You sign in with {found.email} from now on.", "good")
    return redirect(url_for("dashboard.overview"), 303)
