"""Subscriptions and their invoices as the payment provider has them, and what they do to an account's plan."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import Connection, insert, select

from ..accounts import audit
from ..clients.provider import CURRENCY, NANOUSD_PER_CENT, Event, InvoiceState, PaymentGateway, SubscriptionState
from ..plans import Plan
from ..store.database import Store
from ..store.tables import billing as tables
from ..store.tables.billing import Checkout, Customer, Invoice
from . import subscriptions
from .checkout import Billing
from .pending_change import PendingChange, nothing

log = logging.getLogger(__name__)


def on_subscription(till: Billing, shop: PaymentGateway, event: Event, now: datetime) -> PendingChange:
    return follow(till, shop, event.object_id, now)


def follow(till: Billing, shop: PaymentGateway, subscription_id: str, now: datetime) -> PendingChange:
    first = shop.provider.subscription(subscription_id)
    account_id = _account_of(till.store, first.customer_id)
    if account_id is None:
        return nothing("not a customer of ours")
    # Our row first, then the provider's: a change in between makes the row another one.
    known = subscriptions.known(till.store, account_id)
    seen = shop.provider.subscription(subscription_id)
    return PendingChange(account_id, lambda connection: _follow(connection, till, shop, account_id, known, seen, now))


def _follow(
    connection: Connection,
    till: Billing,
    shop: PaymentGateway,
    account_id: int,
    known: subscriptions.Known | None,
    seen: SubscriptionState,
    now: datetime,
) -> str:
    if known is not None and known.provider_id != seen.id:
        if seen.status not in subscriptions.LIVE:
            return "an earlier subscription"
        if known.is_live:
            return _warn(connection, account_id, f"{seen.id} is a second subscription: refund and cancel it", now)
    plan = _plan_of(connection, till, shop, account_id, seen)
    if plan is None:
        return _warn(connection, account_id, f"{seen.id} has a price or an amount that we never asked for", now)
    same = known if known is not None and known.provider_id == seen.id else None
    verdict = subscriptions.decide(same, seen, plan, till.plans, now)
    if verdict is None:
        return f"{seen.status}: nothing to do"
    subscriptions.apply(connection, account_id, known, seen, verdict, now)
    return f"{verdict.plan_id}: {verdict.why}"


def _warn(connection: Connection, account_id: int, problem: str, now: datetime) -> str:
    audit.record(connection, audit.Act("payments", "payment.refused", account_id, problem), now)
    log.error("payment refused: %s", problem)
    return f"refused: {problem}"


def _plan_of(
    connection: Connection, till: Billing, shop: PaymentGateway, account_id: int, seen: SubscriptionState
) -> Plan | None:
    """The plan behind a price: one on offer at today's price, or what this account once ordered at that price."""
    for plan_id, price_id in shop.prices.items():
        plan = till.plans.get(plan_id)
        if price_id == seen.price_id and plan is not None and _costs(plan) == (seen.amount_cents, seen.currency):
            return plan
    ordered = select(Checkout.plan_id).where(
        Checkout.account_id == account_id,
        Checkout.kind == tables.PLAN,
        Checkout.price_id == seen.price_id,
        Checkout.amount_cents == seen.amount_cents,
        Checkout.currency == seen.currency,
    )
    return till.plans.get(connection.execute(ordered.limit(1)).scalar() or "")


def _costs(plan: Plan) -> tuple[int, str]:
    return plan.monthly_nanousd // NANOUSD_PER_CENT, CURRENCY


def on_invoice(till: Billing, shop: PaymentGateway, event: Event, now: datetime) -> PendingChange:
    invoice = shop.provider.invoice(event.object_id)
    if invoice.subscription_id is None:
        return nothing("not an invoice for a plan")
    account_id = _account_of(till.store, invoice.customer_id)
    if account_id is None:
        return nothing("not a customer of ours")
    inner = follow(till, shop, invoice.subscription_id, now)

    def run(connection: Connection) -> str:
        if invoice.is_paid:
            _write_invoice(connection, account_id, invoice, now)
        return inner.run(connection)

    return PendingChange(account_id, run)


def _write_invoice(connection: Connection, account_id: int, invoice: InvoiceState, now: datetime) -> None:
    if connection.execute(select(Invoice.id).where(Invoice.id == invoice.id)).first() is not None:
        return
    paid_at = invoice.paid_at or now
    row = {
        "id": invoice.id,
        "account_id": account_id,
        "number": invoice.number[:64],
        "amount_cents": invoice.amount_cents,
        "currency": invoice.currency,
        "url": invoice.url,
        "day": paid_at.date().isoformat(),
        "paid_at": paid_at,
    }
    connection.execute(insert(Invoice).values(row))


def _account_of(store: Store, customer_id: str | None) -> int | None:
    with store.read() as connection:
        return connection.execute(select(Customer.account_id).where(Customer.provider_id == customer_id)).scalar()
