"""What people change about themselves: name, address, password, second factor, sessions, mails; and leaving."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import segno
from flask import Blueprint, current_app, flash, redirect, render_template, request, session, url_for
from flask_login import login_required
from markupsafe import Markup
from werkzeug.exceptions import NotFound

from llmrack.accounts import identities, links, people, sessions, throttle, totp
from llmrack.billing import checkout, closing, credits
from llmrack.clients.provider import ProviderAway
from llmrack.errors import Unavailable
from llmrack.teams import teams

from ..extensions import context, identity_providers, mailer, payments
from ..web import csrf, mail
from . import verification
from .forms import ChangeEmailForm, ChangePasswordForm, CodeForm, ProfileForm, ProofForm
from .reauthenticate import has_password, is_proved
from .web_session import note, sign_in, viewer

bp = Blueprint("profile", __name__)
csrf.protect(bp)


@bp.before_request
@login_required
def only_signed_in() -> None:
    """Every page here is of the account that is signed in."""


@bp.get("")
def index() -> Any:
    return _page()


def _page(status: int = 200, **forms: Any) -> Any:
    who = viewer()
    values = {
        "profile_form": ProfileForm(formdata=None, name=who.name),
        "email_form": ChangeEmailForm(formdata=None),
        "password_form": ChangePasswordForm(formdata=None),
        "who": who,
        "open_sessions": sessions.list_all(context.store, who.person_id, datetime.now(UTC)),
        "codes_left": totp.left(context.store, who.person_id) if who.has_second_factor else 0,
        "has_mail": mailer.is_configured,
        "has_password": has_password(),
        "providers": [provider.row for provider in identity_providers.values()],
        "identities": identities.list_all(context.store, who.account_id),
        "proof_form": ProofForm(formdata=None),
    }
    return render_template("profile/index.html", **(values | forms)), status


def _done(sentence: str, anchor: str) -> Any:
    flash(sentence, "good")
    return redirect(url_for(".index", _anchor=anchor), 303)


@bp.post("/name")
def change_name() -> Any:
    form = ProfileForm()
    if not form.validate():
        return _page(400, profile_form=form)
    people.set_profile(context.store, viewer().person_id, (form.name.data or "").strip() or None)
    return _done("Your name was saved.", "profile")


@bp.post("/email")
def change_email() -> Any:
    form, who, now = ChangeEmailForm(), viewer(), datetime.now(UTC)
    if not form.validate() or not is_proved(form.email_password):
        return _page(400, email_form=form)
    email = form.email.data or ""
    if not mailer.is_configured:
        if not people.set_email(context.store, who.person_id, email, now, is_proved=False):
            form.email.errors = ["This address cannot be used."]
            return _page(400, email_form=form)
        sessions.end_all(context.store, who.person_id, but=who.session_id)
        return _done(f"You sign in with {email} from now on.", "profile")
    try:
        throttle.take(context.store, now, (throttle.MAIL_ACCOUNT, str(who.person_id)))
    except throttle.TooMany as refusal:
        form.email.errors = [str(refusal)]
        return _page(429, email_form=form)
    if people.find(context.store, email) is None:
        token = links.make(context.store, who.person_id, links.EMAIL, email, now)
        mail.send("confirm_email", email, path=url_for("recovery.confirm_email", token=token))
    else:
        mail.send("known", email)
    return _done(f"A link was sent to {email}. The address changes when you use it.", "profile")


@bp.post("/password")
def change_password() -> Any:
    form, who, now = ChangePasswordForm(), viewer(), datetime.now(UTC)
    if not form.validate() or not is_proved(form.current):
        return _page(400, password_form=form)
    try:
        people.set_password(context.store, who.person_id, form.password.data or "", now)
    except ValueError as error:
        form.password.errors = [str(error)]
        return _page(400, password_form=form)
    note("the password was changed", who.person_id)
    sessions.end_all(context.store, who.person_id)
    links.revoke_all(context.store, who.person_id)
    sign_in(who.person_id)
    mail.send("password_changed", who.email)
    return _done("Your password is changed, and every other browser is signed out.", "password")


@bp.post("/verification")
def resend_verification() -> Any:
    who = viewer()
    try:
        throttle.take(context.store, datetime.now(UTC), (throttle.MAIL_ACCOUNT, who.email))
    except throttle.TooMany as refusal:
        flash(str(refusal), "bad")
        return redirect(url_for(".index"), 303)
    verification.send(who.person_id, who.email)
    return _done(f"A new link was sent to {who.email}.", "profile")


@bp.post("/mails")
def choose_mails() -> Any:
    people.set_budget_mail(context.store, viewer().person_id, "budget" in request.form)
    return _done("Your choice was saved.", "mails")


@bp.post("/sessions/<row:session_id>/end")
def end_session(session_id: int) -> Any:
    if not sessions.end(context.store, viewer().person_id, session_id):
        raise NotFound
    return _done("That browser is signed out.", "sessions")


@bp.post("/sessions/end")
def end_others() -> Any:
    ended = sessions.end_all(context.store, viewer().person_id, but=viewer().session_id)
    return _done(f"{ended} other {'browser is' if ended == 1 else 'browsers are'} signed out.", "sessions")


@bp.get("/second-factor")
def second_factor() -> Any:
    return _second_factor_page(CodeForm())


def _second_factor_page(form: Any, status: int = 200, **values: Any) -> Any:
    who, secret = viewer(), current_app.config["SECRET_KEY"]
    if not who.has_second_factor and not values.get("codes") and who.is_fresh(datetime.now(UTC)):
        values["secret"] = totp.secret(context.store, secret, who.person_id)
        address = totp.address(context.store, secret, who.person_id)
        if address:
            svg = segno.make(address, error="m").svg_inline(
                scale=4, border=2, svgclass="qr", lineclass=None, omitsize=True
            )
            values["qr"] = Markup(svg)  # noqa: S704 - segno draws it; the address is percent-encoded
    page = render_template("profile/second_factor.html", form=form, who=who, proof=ProofForm(formdata=None), **values)
    return page, status


@bp.post("/second-factor/begin")
def begin_second_factor() -> Any:
    """Asks for the password: a session alone, which may be a borrowed browser, must not lock the owner out."""
    proof = ProofForm()
    if mailer.is_configured and not viewer().is_verified:
        flash("Confirm your e-mail address first: its reader must be able to get back in.", "bad")
        return redirect(url_for(".index"), 303)
    if not proof.validate() or not is_proved(proof.proof):
        return _second_factor_page(CodeForm(formdata=None), 400, proof_error=proof.proof.errors)
    sessions.prove(context.store, viewer().session_id, datetime.now(UTC))
    totp.begin(context.store, viewer().person_id)
    return redirect(url_for(".second_factor"), 303)


@bp.post("/second-factor")
def confirm_second_factor() -> Any:
    form, who = CodeForm(), viewer()
    if who.has_second_factor:
        return redirect(url_for(".second_factor"), 303)
    if not who.is_fresh(datetime.now(UTC)):
        flash("That took longer than ten minutes. Enter your password and begin again.", "bad")
        return redirect(url_for(".second_factor"), 303)
    if not form.validate():
        return _second_factor_page(form, 400)
    code, now = form.code.data or "", datetime.now(UTC)
    codes = totp.confirm(context.store, current_app.config["SECRET_KEY"], who.person_id, code, now)
    if not codes:
        form.code.errors = ["This code is wrong or too old. Enter the one that is shown now."]
        return _second_factor_page(form, 400)
    note("the second factor was switched on", who.person_id)
    mail.send("second_factor_on", who.email)
    return _second_factor_page(form, codes=codes)


@bp.post("/second-factor/codes")
def renew_codes() -> Any:
    proof = ProofForm()
    if not proof.validate() or not is_proved(proof.proof) or not viewer().has_second_factor:
        return _second_factor_page(CodeForm(formdata=None), 400, proof_error=proof.proof.errors)
    return _second_factor_page(
        CodeForm(formdata=None), codes=totp.renew_recovery_codes(context.store, viewer().person_id)
    )


@bp.post("/second-factor/off")
def switch_off_second_factor() -> Any:
    proof = ProofForm()
    if not proof.validate() or not is_proved(proof.proof):
        return _second_factor_page(CodeForm(formdata=None), 400, proof_error=proof.proof.errors)
    totp.switch_off(context.store, viewer().person_id)
    note("the second factor was switched off", viewer().person_id)
    mail.send("second_factor_off", viewer().email)
    return _done("The second factor is switched off.", "second-factor")


@bp.get("/delete")
def ask_to_delete() -> Any:
    return _delete_page(ProofForm(formdata=None))


def _delete_page(form: ProofForm, status: int = 200) -> Any:
    balance = credits.balance(context.store, viewer().person_id).left_nanousd
    return render_template("profile/delete.html", form=form, who=viewer(), balance=balance), status


def _given_up() -> int:
    """The sum that the form named, in nano-dollars: credits that arrived since then are not given up with it."""
    text = request.form.get("gives_up_credits", "")
    return int(text) if re.fullmatch(r"\d{1,18}", text, re.ASCII) else 0


def _ask_for_credits(form: ProofForm) -> Any:
    flash("This account has credits left. Say that you give them up, or use them first.", "bad")
    return _delete_page(form, 400)


@bp.post("/delete")
def delete() -> Any:
    form, who = ProofForm(), viewer()
    if not form.validate() or not is_proved(form.proof):
        return _delete_page(form, 400)
    if owned := teams.owned_alone(context.store, who.person_id):
        flash(
            f"You are the only owner of {', '.join(owned)}. Make another member an owner, or delete it, first.", "bad"
        )
        return _delete_page(form, 400)
    gives_up = _given_up()
    if credits.balance(context.store, who.person_id).left_nanousd > gives_up:
        return _ask_for_credits(form)
    try:
        checkout.leave(payments, who.person_id, datetime.now(UTC))
    except ProviderAway as error:
        sentence = "Your subscription could not be ended just now, so nothing was deleted. Try again in a moment."
        raise Unavailable(sentence, retry_after_s=30) from error
    try:
        closing.leave(context.store, who.person_id, datetime.now(UTC), gives_up_nanousd=gives_up)
    except closing.CreditsLeft:
        return _ask_for_credits(form)
    note("the account was deleted", who.person_id)
    mail.send("deleted", who.email)
    session.clear()
    flash("Your account is deleted, and its keys have stopped working.", "good")
    return redirect(url_for("account.login"), 303)
