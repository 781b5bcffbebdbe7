"""The page behind the link that a start prints while a server has no operator."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for

from llmrack.accounts import first_operator

from ..extensions import context
from ..web import csrf
from . import web_session
from .forms import SignupForm

bp = Blueprint("first_operator", __name__)
csrf.protect(bp)


@bp.get("/first-operator")
def show() -> Any:
    """Only shows a form: a link that is looked at is not used."""
    token = request.args.get("token", "")
    if not first_operator.is_open(context.store, token, datetime.now(UTC)):
        return _refused()
    return _form(SignupForm(formdata=None), token)


@bp.post("/first-operator")
def become() -> Any:
    form, token, now = SignupForm(), request.form.get("token", ""), datetime.now(UTC)
    # First, so that who has no link learns nothing about addresses.
    if not first_operator.is_open(context.store, token, now):
        return _refused()
    if not form.validate():
        return _form(form, token), 400
    email = form.email.data or ""
    try:
        account_id = first_operator.become(context.store, token, email, form.password.data or "", now)
    except first_operator.AddressTaken as error:
        form.email.errors = [str(error)]
        return _form(form, token), 400
    if account_id is None:
        return _refused()
    web_session.note("the first operator signed in", account_id)
    web_session.sign_in(account_id)
    flash("You are the operator of this server, and you are signed in.", "good")
    response: Any = redirect(url_for("dashboard.overview"), 303)
    return web_session.remember_device(response, email, current_app.config)


def _form(form: SignupForm, token: str) -> str:
    return render_template("account/first_operator.html", form=form, token=token)


def _refused() -> Any:
    return render_template("account/first_operator.html", form=None, token=""), 404
