"""Orders as the payment provider has them: paid, given up, refunded, disputed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, update

from ..accounts import audit
from ..clients.provider import NANOUSD_PER_CENT, Event, PaymentGateway, Session
from ..store.tables import billing as tables
from ..store.tables.billing import Checkout
from . import checkout, credits, subscription_payments
from .checkout import Billing, CheckoutFacts
from .pending_change import PendingChange, nothing
from .subscriptions import Stale

log = logging.getLogger(__name__)


def on_session(till: Billing, shop: PaymentGateway, event: Event, now: datetime) -> PendingChange:
    has_failed = event.type == "checkout.session.async_payment_failed"
    return _session(till, shop, shop.provider.session(event.object_id), now, has_failed=has_failed)


def _session(
    till: Billing, shop: PaymentGateway, seen: Session, now: datetime, *, has_failed: bool = False
) -> PendingChange:
    try:
        order = checkout.checkout(till.store, seen.reference or "")
    except checkout.Refused:
        return nothing("not an order of ours")
    if problem := _mismatch(order, seen):
        return PendingChange(order.account_id, lambda connection: _refuse(connection, order, problem, now))
    if order.kind == tables.PLAN:
        return _plan_session(till, shop, order, seen, now)
    if seen.is_paid:
        return PendingChange(order.account_id, lambda connection: _pay(connection, order, seen, now))
    if seen.status == "expired" or has_failed:
        return PendingChange(order.account_id, lambda connection: _close(connection, order, now))
    return nothing("not paid yet", order.account_id)


def _plan_session(
    till: Billing, shop: PaymentGateway, order: CheckoutFacts, seen: Session, now: datetime
) -> PendingChange:
    if seen.subscription_id is None or seen.status != "complete":
        if seen.status == "expired":
            return PendingChange(order.account_id, lambda connection: _close(connection, order, now))
        return nothing("not paid yet", order.account_id)
    inner = subscription_payments.follow(till, shop, seen.subscription_id, now)

    def run(connection: Connection) -> str:
        _set_state(connection, order, tables.PAID, now)
        return inner.run(connection)

    return PendingChange(order.account_id, run)


def _mismatch(order: CheckoutFacts, seen: Session) -> str:
    """What of a payment page differs from what we asked for; nothing when all is as it should be."""
    wanted = {
        "page": (order.session_id, seen.id),
        "customer": (order.customer_id, seen.customer_id),
        "currency": (order.currency, seen.currency),
        "amount": (order.amount_cents, seen.amount_cents),
        "mode": ("payment" if order.kind == tables.CREDITS else "subscription", seen.mode),
    }
    if order.session_id is None:
        # The page was opened, but its id did not reach our record.
        del wanted["page"]
    return ", ".join(name for name, (ours, theirs) in wanted.items() if ours != theirs)


def _refuse(connection: Connection, order: CheckoutFacts, problem: str, now: datetime) -> str:
    """Money that is not what we asked for grants nothing, and a person looks at it."""
    result = f"refused: another {problem} than ordered"
    if _set_state(connection, order, tables.REFUSED, now):
        audit.record(
            connection, audit.Act("payments", "payment.refused", order.account_id, f"{order.id}: {result}"), now
        )
        log.error("payment %s", result, extra={"checkout": order.id})
    return result


def _pay(connection: Connection, order: CheckoutFacts, seen: Session, now: datetime) -> str:
    if not _set_state(connection, order, tables.PAID, now, payment_id=seen.payment_id):
        return "paid before"
    amount = order.amount_cents * NANOUSD_PER_CENT
    entry = credits.Entry(order.account_id, credits.BOUGHT, amount, "payment", "payments", order.id)
    credits.book(connection, entry, now)
    return f"{order.amount_cents} cents of credits"


def _close(connection: Connection, order: CheckoutFacts, now: datetime) -> str:
    if order.state != tables.OPEN:
        return "settled before"
    _set_state(connection, order, tables.CLOSED, now)
    return "closed unpaid"


def _set_state(connection: Connection, order: CheckoutFacts, state: str, now: datetime, **more: object) -> bool:
    """Whether this was the one time an order reached its end. A paid or refused one stays so."""
    is_final = Checkout.state.in_((tables.PAID, tables.REFUSED))
    values = {"state": state, "closed_at": now, "version": Checkout.version + 1, **more}
    return connection.execute(update(Checkout).where(Checkout.id == order.id, ~is_final).values(values)).rowcount > 0


def on_charge(till: Billing, shop: PaymentGateway, event: Event, now: datetime) -> PendingChange:
    seen = shop.provider.charge(event.object_id)
    return _return(till, shop, seen.reference, now, lambda order: {"returned_cents": seen.refunded_cents})


def on_dispute(till: Billing, shop: PaymentGateway, event: Event, now: datetime) -> PendingChange:
    # Our row first: what is read from the provider after it is not older than it.
    dispute = shop.provider.dispute(event.object_id)
    charge = shop.provider.charge(dispute.charge_id)
    order = _order(till, charge.reference)
    if order is None:
        return nothing("not a payment for credits")
    dispute = shop.provider.dispute(event.object_id)
    taken = dispute.amount_cents if dispute.is_taken else 0
    return _return(till, shop, charge.reference, now, lambda order: {"disputed_cents": taken}, order)


def _order(till: Billing, reference: str | None) -> CheckoutFacts | None:
    try:
        return checkout.checkout(till.store, reference or "")
    except checkout.Refused:
        return None


def _return(
    till: Billing,
    shop: PaymentGateway,
    reference: str | None,
    now: datetime,
    amounts: Callable[[CheckoutFacts], dict[str, int]],
    order: CheckoutFacts | None = None,
) -> PendingChange:
    """Take back the credits of money that went back, or give them again. The purchase is booked first if need be."""
    order = order or _order(till, reference)
    if order is None or order.kind != tables.CREDITS or order.session_id is None:
        return nothing("not a payment for credits")
    purchase = (
        _session(till, shop, shop.provider.session(order.session_id), now) if order.state != tables.PAID else None
    )
    return PendingChange(
        order.account_id, lambda connection: _take_back(connection, order, amounts(order), purchase, now)
    )


def _take_back(
    connection: Connection, order: CheckoutFacts, amounts: dict[str, int], purchase: PendingChange | None, now: datetime
) -> str:
    if purchase is not None:
        purchase.run(connection)
        order = replace(order, state=tables.PAID, version=order.version + 1)
    new = replace(order, **amounts)  # type: ignore[arg-type]
    # What was refunded only grows: an older number that comes late is none.
    new = replace(new, returned_cents=max(order.returned_cents, new.returned_cents), version=order.version + 1)
    same = (Checkout.id == order.id, Checkout.version == order.version, Checkout.state == tables.PAID)
    values = {"returned_cents": new.returned_cents, "disputed_cents": new.disputed_cents, "version": new.version}
    if not connection.execute(update(Checkout).where(*same).values(values)).rowcount:
        raise Stale
    cents = _gone(new) - _gone(order)
    if cents:
        amount, reference = -cents * NANOUSD_PER_CENT, f"{order.id}/{new.version}"
        why = "payment disputed" if "disputed_cents" in amounts else "payment refunded"
        reason = why if cents > 0 else "dispute won"
        entry = credits.Entry(order.account_id, credits.REFUNDED, amount, reason, "payments", reference)
        credits.book(connection, entry, now)
    return f"{cents} cents of credits taken back" if cents else "nothing new"


def _gone(order: CheckoutFacts) -> int:
    return min(order.amount_cents, order.returned_cents + order.disputed_cents)
