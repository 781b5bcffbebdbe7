"""Plans, credits and statements of the account that is signed in."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound

from llmrack import money
from llmrack.billing import checkout, credits, statements, subscriptions, webhooks
from llmrack.billing.checkout import Buyer
from llmrack.billing.statements import Line
from llmrack.clients.provider import PaymentFailed, ProviderAway
from llmrack.errors import Unavailable
from llmrack.plans import Plan

from ..account.web_session import viewer
from ..extensions import context, payments
from ..web import csrf, headers, params
from ..web.mail import site_url
from . import rights
from .billing_forms import CreditsForm, SpendingForm
from .export import harmless

bp = Blueprint("billing", __name__)
csrf.protect(bp)

LEDGER_PAGE = 50
# A page of more receipts is slow to show and too long to read; the CSV has all of them.
MOST_LINES = 2000


bp.before_request(rights.require)


@bp.after_request
def let_forms_lead_to_payment(response: Response) -> Response:
    """Browsers count a redirect after a form as its target, so the policy names the pages that take the money."""
    if payments.shop is not None:
        policy = headers.CONTENT_POLICY.replace("form-action 'self'", f"form-action 'self' {' '.join(_origins())}")
        response.headers["Content-Security-Policy"] = policy
    return response


def _origins() -> tuple[str, ...]:
    return payments.shop.form_origins if payments.shop else ()


@bp.get("")
def index() -> Any:
    _catch_up()
    return _page()


def _catch_up() -> None:
    """A renewal that was not reported would end a plan that is paid: the page that shows it looks for itself."""
    now, account_id = datetime.now(UTC), viewer().account_id
    known = subscriptions.known(context.store, account_id)
    if payments.shop is not None and known is not None and known.is_overdue(now):
        with contextlib.suppress(ProviderAway, subscriptions.Stale):
            webhooks.sync(payments, account_id, now)


def _page(status: int = 200, **forms: Any) -> Any:
    now, account_id = datetime.now(UTC), viewer().account_id
    terms = checkout.terms(payments, account_id, now)
    limit = terms.nanousd_per_month
    values = {
        "terms": terms,
        "known": subscriptions.known(context.store, account_id),
        "plans": list(context.plans.public),
        "can_pay": payments.shop is not None,
        "support": context.settings.support_email,
        "on_offer": payments.shop.prices if payments.shop else {},
        "unusable": {plan.id for plan in context.plans.public if checkout.why_not(payments, account_id, plan)},
        "balance": credits.balance(context.store, account_id),
        "entries": credits.entries(context.store, account_id, limit=10, but_spent=True),
        "invoices": checkout.invoices(context.store, account_id, limit=6),
        "months": statements.months(context.store, account_id, now)[:6],
        "usual": [cents // 100 for cents in checkout.USUAL_CENTS],
        "grace_days": subscriptions.GRACE.days,
        "credits_form": CreditsForm(formdata=None, amount="10"),
        "spending_form": SpendingForm(
            formdata=None, uses_credits=terms.uses_credits, limit="" if limit is None else money.usd_text(limit)
        ),
    }
    return render_template("billing/index.html", **(values | forms)), status


def _buyer() -> Buyer:
    who, site = viewer(), site_url()
    # The id is known only once the order is written, and it is no id of anybody's until then.
    order = url_for(".order", checkout_id="CHECKOUT").replace("CHECKOUT", "{checkout}")
    return Buyer(who.account_id, who.email or None, site + order, site + url_for(".index"))


@bp.get("/plan/<plan_id>")
def ask(plan_id: str) -> Any:
    """What choosing a plan would do, before it is done."""
    now, plan = datetime.now(UTC), _plan(plan_id)
    if (reason := checkout.why_not(payments, viewer().account_id, plan)) is not None:
        flash(reason, "bad")
        return redirect(url_for(".index"), 303)
    return render_template(
        "billing/plan.html",
        plan=plan,
        terms=checkout.terms(payments, viewer().account_id, now),
        known=subscriptions.known(context.store, viewer().account_id),
    )


@bp.post("/plan/<plan_id>")
def choose(plan_id: str) -> Any:
    plan = _plan(plan_id)
    try:
        url = checkout.choose_plan(payments, _buyer(), plan, datetime.now(UTC))
    except (checkout.Refused, PaymentFailed) as error:
        flash(str(error), "bad")
        return redirect(url_for(".index"), 303)
    except ProviderAway as error:
        raise _away(error) from error
    if url is not None:
        return redirect(url, 303)
    if subscriptions.known(context.store, viewer().account_id) is None:
        flash(f"You are on {plan.name} now.", "good")
    else:
        flash("Done. This page shows it as soon as the payment provider has confirmed it.", "good")
    return redirect(url_for(".index"), 303)


def _plan(plan_id: str) -> Plan:
    plan = context.plans.offered(plan_id)
    if plan is None:
        raise NotFound
    return plan


@bp.post("/keep")
def keep() -> Any:
    try:
        checkout.keep_plan(payments, viewer().account_id)
    except checkout.Refused as error:
        flash(str(error), "bad")
    except ProviderAway as error:
        raise _away(error) from error
    else:
        flash("Your plan goes on. This page shows it as soon as the payment provider has confirmed it.", "good")
    return redirect(url_for(".index"), 303)


@bp.post("/credits")
def buy() -> Any:
    form = CreditsForm()
    if not form.validate():
        return _page(400, credits_form=form)
    try:
        return redirect(checkout.buy_credits(payments, _buyer(), form.cents, datetime.now(UTC)), 303)
    except checkout.Refused as error:
        flash(str(error), "bad")
        return redirect(url_for(".index"), 303)
    except ProviderAway as error:
        raise _away(error) from error


@bp.post("/portal")
def portal() -> Any:
    """Card, invoices and cancelling are looked after on the provider's own pages."""
    try:
        return redirect(checkout.portal_url(payments, _buyer()), 303)
    except checkout.Refused as error:
        flash(str(error), "bad")
        return redirect(url_for(".index"), 303)
    except ProviderAway as error:
        raise _away(error) from error


def _away(error: ProviderAway) -> Unavailable:
    return Unavailable("The payment provider cannot be reached. Nothing was charged. Try again.", retry_after_s=30)


@bp.post("/spending")
def spend() -> Any:
    form = SpendingForm()
    if not form.validate():
        return _page(400, spending_form=form)
    checkout.set_spending(
        context.store,
        viewer().account_id,
        uses_credits=bool(form.uses_credits.data),
        nanousd_per_month=form.nanousd_per_month,
    )
    flash("Saved. It holds from the next request on.", "good")
    return redirect(url_for(".index", _anchor="spending"), 303)


@bp.get("/orders/<checkout_id>")
def order(checkout_id: str) -> Any:
    """Where the payment page sends people back to. It grants nothing: it only says what has arrived."""
    return render_template("billing/order.html", order=_order(checkout_id))


@bp.get("/orders/<checkout_id>/state")
def order_state(checkout_id: str) -> Any:
    """{"state": "open", "paid", "closed" or "refused"}."""
    return jsonify(state=_order(checkout_id).state)


def _order(checkout_id: str) -> checkout.CheckoutFacts:
    try:
        return checkout.checkout(context.store, checkout_id, viewer().account_id)
    except checkout.Refused:
        raise NotFound from None


@bp.get("/ledger")
def ledger() -> Any:
    before = params.row_id("before")
    entries = credits.entries(context.store, viewer().account_id, before_id=before, limit=LEDGER_PAGE + 1)
    page = entries[:LEDGER_PAGE]
    older = url_for(".ledger", before=page[-1].id) if len(entries) > LEDGER_PAGE else None
    return render_template(
        "billing/ledger.html",
        entries=page,
        balance=credits.balance(context.store, viewer().account_id),
        older=older,
        newest=url_for(".ledger") if before else None,
    )


@bp.get("/statements")
def months() -> Any:
    found = statements.months(context.store, viewer().account_id, datetime.now(UTC))
    return render_template("billing/statements.html", months=found)


@bp.get("/statements/<month>")
def statement(month: str) -> Any:
    now, account_id = datetime.now(UTC), viewer().account_id
    found = statements.of(context.store, account_id, _month(month, now))
    lines = None
    if request.args.get("receipts"):
        lines = list(itertools.islice(statements.lines(context.store, account_id, month), MOST_LINES + 1))
    is_over = month < now.strftime("%Y-%m")
    return render_template(
        "billing/statement.html", statement=found, lines=lines, most=MOST_LINES, is_over=is_over, made_at=now
    )


@bp.get("/statements/<month>.csv")
def statement_csv(month: str) -> Response:
    lines = statements.lines(
        context._get_current_object().store,  # type: ignore[attr-defined]
        viewer().account_id,
        _month(month, datetime.now(UTC)),
    )
    response = Response(_csv(lines), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="llmrack-statement-{month}.csv"'
    return response


def _month(month: str, now: datetime) -> str:
    try:
        return statements.parse(month, now)
    except statements.BadMonth:
        raise NotFound from None


COLUMNS = (
    "day", "time", "request_id", "key_name", "model", "outcome", "requests", "prompt_tokens", "completion_tokens",
    "input_usd_per_million", "output_usd_per_million", "cost_usd", "charged_usd",
)  # fmt: skip


def _csv(lines: Iterator[Line]) -> Iterator[str]:
    yield ",".join(COLUMNS) + "\r\n"
    for line in lines:
        row = io.StringIO()
        csv.writer(row).writerow(harmless(value) for value in _exported(line))
        yield row.getvalue()


def _exported(line: Line) -> tuple[Any, ...]:
    prices = (line.input_nanousd, line.output_nanousd)
    return (
        line.day, line.at.isoformat() if line.at else "", line.request_id, line.key_name, line.model_id, line.outcome,
        line.requests, line.prompt_tokens, line.completion_tokens,
        *("" if price is None else money.usd_per_million(price) for price in prices),
        f"{money.usd(line.cost_nanousd):f}", f"{money.usd(line.charged_nanousd):f}",
    )  # fmt: skip
