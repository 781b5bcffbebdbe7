"""What the payment provider reports, acted on once: in any order, however often it is delivered.

A message only names an object. The object is read from the provider as it is now, compared with our own record, and
applied in one transaction with the message's id, so that the effect depends on states and not on the order of messages.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import exc, insert, select, update

from ..clients.provider import Event, PaymentGateway
from ..store.database import Store
from ..store.tables.billing import PaymentEvent, Subscription
from . import credit_payments, subscription_payments, subscriptions
from .checkout import Billing
from .pending_change import PendingChange
from .subscriptions import Stale

log = logging.getLogger(__name__)

# Two workers that read the same object at the same time: one of them reads again.
TRIES = 6


def handle(till: Billing, event: Event, now: datetime) -> str:
    """Act on a message; what was done, in words. Raises ProviderAway, Unavailable: the provider sends it again."""
    prepare = _HANDLERS.get(event.type)
    if prepare is None or till.shop is None:
        return "not acted on"
    for _ in range(TRIES):
        if _is_known(till.store, event.id):
            return "known"
        effect = prepare(till, till.shop, event, now)
        try:
            return _run(till.store, event, effect, now)
        except (Stale, exc.IntegrityError):
            # Another worker was faster: with this message, or with another one about the same object.
            continue
    raise Stale(f"{event.id} met other changes {TRIES} times")


def _run(store: Store, event: Event, effect: PendingChange, now: datetime) -> str:
    with store.write() as connection:
        row = {"id": event.id, "type": event.type, "account_id": effect.account_id, "result": ""}
        connection.execute(insert(PaymentEvent).values(**row, created_at=event.created_at, received_at=now))
        result = effect.run(connection)
        connection.execute(update(PaymentEvent).where(PaymentEvent.id == event.id).values(result=result[:500]))
    log.info("payment event %s: %s", event.type, result, extra={"event_id": event.id})
    return result


def _is_known(store: Store, event_id: str) -> bool:
    with store.read() as connection:
        return connection.execute(select(PaymentEvent.id).where(PaymentEvent.id == event_id)).first() is not None


def sync(till: Billing, account_id: int, now: datetime) -> str:
    """Read an account's subscription from the provider without having been told; what was done, in words."""
    known = subscriptions.known(till.store, account_id)
    if known is None or till.shop is None:
        return "no subscription"
    for _ in range(TRIES):
        effect = subscription_payments.follow(till, till.shop, known.provider_id, now)
        try:
            with till.store.write() as connection:
                return effect.run(connection)
        except Stale:
            continue
    raise Stale(f"the subscription of account {account_id} met other changes {TRIES} times")


def overdue(store: Store, now: datetime) -> list[int]:
    """The accounts whose period has ended without word from the provider."""
    statement = select(Subscription.account_id).where(
        Subscription.period_end_at < now,
        Subscription.status.in_(sorted(subscriptions.LIVE)),
        Subscription.synced_at < Subscription.period_end_at,
    )
    with store.read() as connection:
        return list(connection.scalars(statement))


_HANDLERS: dict[str, Callable[[Billing, PaymentGateway, Event, datetime], PendingChange]] = {
    "checkout.session.completed": credit_payments.on_session,
    "checkout.session.async_payment_succeeded": credit_payments.on_session,
    "checkout.session.async_payment_failed": credit_payments.on_session,
    "checkout.session.expired": credit_payments.on_session,
    "customer.subscription.created": subscription_payments.on_subscription,
    "customer.subscription.updated": subscription_payments.on_subscription,
    "customer.subscription.deleted": subscription_payments.on_subscription,
    "invoice.paid": subscription_payments.on_invoice,
    "invoice.payment_failed": subscription_payments.on_invoice,
    "charge.refunded": credit_payments.on_charge,
    "charge.dispute.created": credit_payments.on_dispute,
    "charge.dispute.closed": credit_payments.on_dispute,
}
EVENT_TYPES = tuple(_HANDLERS)
