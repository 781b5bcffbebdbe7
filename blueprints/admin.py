"""What the operator sees and changes; for everyone else there is nothing here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from werkzeug.exceptions import NotFound

from llmrack.accounts import accounts, audit
from llmrack.billing import checkout, credits, overview, statements, subscriptions
from llmrack.billing.overview import AccountLine
from llmrack.keys import keys

from .account.reauthenticate import is_proved
from .account.web_session import is_signed_in, viewer
from .dashboard import charts
from .dashboard.billing_forms import GrantForm, PlanForm, ReasonForm
from .extensions import context, payments
from .web import csrf, formatting, params

bp = Blueprint("admin", __name__)
DAYS = 30


@bp.before_request
def only_the_operator() -> None:
    """Before anything else, so that not even a refusal tells strangers that there is something."""
    if not is_signed_in() or not viewer().is_operator:
        # Otherwise the answer would vary by cookie, as no other missing page does.
        session.accessed = False
        raise NotFound


csrf.protect(bp)


@bp.before_request
def ask_for_a_second_factor() -> Any:
    """A stolen password of an operator opens every account."""
    if viewer().has_second_factor or context.settings.operator_second_factor != "require":
        return None
    flash("The pages of operators need a second factor here. Switch it on, then go on.", "bad")
    return redirect(url_for("profile.second_factor"), 303)


@bp.get("")
def index() -> Any:
    today = datetime.now(UTC).date()
    first = today - timedelta(days=DAYS - 1)
    days = [(first + timedelta(days=day)).isoformat() for day in range(DAYS)]
    usage = overview.usage(context.store, days[0], days[-1])
    revenue = overview.revenue(context.store, days[0], days[-1])
    return render_template(
        "admin/index.html",
        totals=overview.totals(context.store),
        usage=usage,
        chart=charts.stacked(days, usage, lambda row: row.model_id, lambda row: row.cost_nanousd),
        written=formatting.usd,
        revenue=revenue,
        earned=sum(row.total_nanousd for row in revenue),
        refused=audit.entries(context.store, limit=10, action="payment.refused"),
        can_pay=payments.shop is not None,
        days=DAYS,
    )


@bp.get("/accounts")
def list_accounts() -> Any:
    query, before = request.args.get("q", "").strip()[:254], params.row_id("before")
    now = datetime.now(UTC)
    found = overview.accounts(context.store, context.plans, now, query=query, before_id=before, limit=overview.PAGE + 1)
    page = found[: overview.PAGE]
    older = url_for(".list_accounts", q=query or None, before=page[-1].id) if len(found) > len(page) else None
    newest = url_for(".list_accounts", q=query or None) if before else None
    return render_template("admin/accounts.html", accounts=page, query=query, older=older, newest=newest)


@bp.get("/accounts/<row:account_id>")
def account(account_id: int) -> Any:
    return _page(_account(account_id))


def _account(account_id: int) -> AccountLine:
    try:
        return overview.get(context.store, context.plans, account_id, datetime.now(UTC))
    except accounts.NoSuchAccount:
        raise NotFound from None


def _page(line: AccountLine, status: int = 200, **forms: Any) -> Any:
    now = datetime.now(UTC)
    values = {
        "line": line,
        "known": subscriptions.known(context.store, line.id),
        "terms": checkout.terms(payments, line.id, now),
        "balance": credits.balance(context.store, line.id),
        "entries": credits.entries(context.store, line.id, limit=10, but_spent=True),
        "history": subscriptions.history(context.store, line.id, limit=10),
        "keys": keys.of_account(context.store, line.id, now),
        "acts": audit.entries(context.store, account_id=line.id, limit=10),
        "statement": statements.of(context.store, line.id, now.strftime("%Y-%m")),
        "now": now,
        "grant_form": GrantForm(formdata=None),
        "plan_form": PlanForm(formdata=None, plan=line.plan.id).offer(context.plans),
    }
    return render_template("admin/account.html", **(values | forms)), status


@bp.post("/accounts/<row:account_id>/credits")
def grant(account_id: int) -> Any:
    line, form, now = _account(account_id), GrantForm(), datetime.now(UTC)
    if not form.validate() or not is_proved(form.credit_proof):
        return _page(line, 400, grant_form=form)
    credits.grant(context.store, line.id, form.nanousd, form.credit_reason.data or "", viewer().email, now)
    return _done(line, f"{formatting.signed(form.nanousd)} of credits for {line.name}.")


@bp.post("/accounts/<row:account_id>/plan")
def set_plan(account_id: int) -> Any:
    line, form, now = _account(account_id), PlanForm().offer(context.plans), datetime.now(UTC)
    if not form.validate() or not is_proved(form.plan_proof):
        return _page(line, 400, plan_form=form)
    plan = context.plans.get(form.plan.data) or context.plans.default
    reason = form.plan_reason.data or ""
    subscriptions.set_plan(context.store, line.id, plan, reason, viewer().email, now, form.ends_at)
    return _done(line, f"{line.name} is on {plan.name} now.")


@bp.get("/accounts/<row:account_id>/disable")
def ask_to_disable(account_id: int) -> Any:
    return _ask_to_disable(_account(account_id), ReasonForm(formdata=None))


def _ask_to_disable(line: AccountLine, form: ReasonForm, status: int = 200) -> Any:
    working = [key for key in keys.of_account(context.store, line.id, datetime.now(UTC)) if key.revoked_at is None]
    return render_template("admin/disable.html", line=line, form=form, keys=working), status


@bp.post("/accounts/<row:account_id>/disable")
def disable(account_id: int) -> Any:
    line, form = _account(account_id), ReasonForm()
    if line.id == viewer().person_id:
        flash("You cannot lock yourself out here.", "bad")
        return redirect(url_for(".account", account_id=line.id), 303)
    if not form.validate():
        return _ask_to_disable(line, form, 400)
    accounts.disable(context.store, line.id, form.reason.data or "", datetime.now(UTC), actor=viewer().email)
    return _done(line, f"{line.name} is disabled: its keys are refused from now on.")


@bp.post("/accounts/<row:account_id>/enable")
def enable(account_id: int) -> Any:
    line = _account(account_id)
    accounts.enable(context.store, line.id, datetime.now(UTC), actor=viewer().email)
    return _done(line, f"{line.name} is enabled.")


@bp.get("/accounts/<row:account_id>/keys/<row:key_id>/revoke")
def ask_to_revoke(account_id: int, key_id: int) -> Any:
    key = keys.get(context.store, account_id, key_id)
    return render_template("admin/revoke.html", line=_account(account_id), key=key, form=ReasonForm(formdata=None))


@bp.post("/accounts/<row:account_id>/keys/<row:key_id>/revoke")
def revoke_key(account_id: int, key_id: int) -> Any:
    line, key, form = _account(account_id), keys.get(context.store, account_id, key_id), ReasonForm()
    if not form.validate():
        return render_template("admin/revoke.html", line=line, key=key, form=form), 400
    now, reason = datetime.now(UTC), form.reason.data or ""
    keys.revoke(context.store, account_id, key_id, now, actor=viewer().email, reason=reason)
    return _done(line, f"The key {key.name} was revoked.")


def _done(line: AccountLine, sentence: str) -> Any:
    flash(sentence, "good")
    return redirect(url_for(".account", account_id=line.id), 303)


@bp.get("/audit")
def log() -> Any:
    before, has_owners = params.row_id("before"), "owners" in request.args
    shown: dict[str, Any] = {"owners": 1} if has_owners else {}
    found = audit.entries(context.store, before_id=before, limit=overview.PAGE + 1, has_owners=has_owners)
    page = found[: overview.PAGE]
    older = url_for(".log", before=page[-1].id, **shown) if len(found) > len(page) else None
    newest = url_for(".log", **shown) if before else None
    return render_template("admin/audit.html", acts=page, older=older, newest=newest, has_owners=has_owners)
