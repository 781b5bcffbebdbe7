"""Payments through Stripe. This is the only module that imports its package, and only a server with a key loads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import stripe

from .provider import (
    CURRENCY,
    SKEW_S,
    BadSignature,
    ChargeState,
    DisputeState,
    Event,
    InvoiceState,
    Order,
    PaymentFailed,
    PriceState,
    ProviderAway,
    Session,
    SubscriptionState,
)

CONNECT_S, READ_S = 5.0, 20.0
RETRIES = 2
# Pages of Stripe's own that a form of ours leads to.
FORM_ORIGINS = ("https://checkout.stripe.com", "https://billing.stripe.com")
# As long as a dispute has one of these, the bank has not taken the money, or has given it back.
_NOT_TAKEN = {"won", "warning_needs_response", "warning_under_review", "warning_closed", "prevented"}


class Stripe:
    """One account at Stripe. `api_url` replaces Stripe's own address."""

    def __init__(self, secret_key: str, webhook_secret: str, api_url: str = "") -> None:
        self._webhook_secret = webhook_secret
        self._client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": api_url} if api_url else {},
            max_network_retries=RETRIES,
            http_client=stripe.RequestsClient(timeout=(CONNECT_S, READ_S)),
        )
        self.form_origins = (_origin(api_url),) if api_url else FORM_ORIGINS

    def event(self, payload: bytes, signature: str | None, now: datetime) -> Event:
        """The package checks the signature, but would take a message from the future: the time is checked here."""
        times = [part.removeprefix("t=") for part in (signature or "").split(",") if part.startswith("t=")]
        if len(times) != 1:
            # The package signs with the first, so any other could claim a time that was not signed.
            raise BadSignature("The signature does not name one time.")
        try:
            stripe.WebhookSignature.verify_header(payload, signature, self._webhook_secret)
            body = json.loads(payload)
            sent_at = int(times[0])
        except (stripe.SignatureVerificationError, TypeError, ValueError) as error:
            raise BadSignature("The signature does not fit.") from error
        if abs(now.timestamp() - sent_at) > SKEW_S:
            raise BadSignature(f"The message is more than {SKEW_S} s from our time.")
        try:
            return Event(body["id"], body["type"], body["data"]["object"]["id"], _time(body["created"]))
        except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
            raise BadSignature("The message has not the shape of an event.") from error

    def create_customer(self, account_id: int, email: str | None, nonce: str) -> str:
        params: Any = {"metadata": {"account": str(account_id)}} | ({"email": email} if email else {})
        with _translated():
            return self._client.v1.customers.create(params=params, options={"idempotency_key": nonce}).id

    def open_credits(self, order: Order) -> Session:
        item = {
            "quantity": 1,
            "price_data": {
                "currency": CURRENCY,
                "unit_amount": order.amount_cents,
                "product_data": {"name": "Credits"},
            },
        }
        # The charge carries the payment's metadata, which finds the order even when a refund is heard of first.
        more = {
            "payment_intent_data": {"metadata": {"checkout": order.id}},
            "invoice_creation": {"enabled": True},
        }
        return self._open(order, "payment", item, more)

    def open_plan(self, order: Order) -> Session:
        return self._open(order, "subscription", {"quantity": 1, "price": order.price_id}, {})

    def _open(self, order: Order, mode: str, item: dict[str, Any], more: dict[str, Any]) -> Session:
        params: Any = {
            "mode": mode,
            "customer": order.customer_id,
            "client_reference_id": order.id,
            "line_items": [item],
            "success_url": order.success_url,
            "cancel_url": order.cancel_url,
            "tax_id_collection": {"enabled": True},
            "customer_update": {"name": "auto", "address": "auto"},
            **more,
        }
        with _translated():
            opened = self._client.v1.checkout.sessions.create(params=params, options={"idempotency_key": order.id})
            return _session(opened)

    def expire(self, session_id: str) -> None:
        with _translated():
            self._client.v1.checkout.sessions.expire(session_id)

    def portal_url(self, customer_id: str, return_url: str) -> str:
        with _translated():
            params: Any = {"customer": customer_id, "return_url": return_url}
            return self._client.v1.billing_portal.sessions.create(params=params).url

    def change_price(self, subscription: SubscriptionState, price_id: str, nonce: str, *, is_charged_now: bool) -> None:
        params: Any = {
            "items": [{"id": subscription.item_id, "price": price_id}],
            "cancel_at_period_end": False,
            "proration_behavior": "always_invoice" if is_charged_now else "none",
        }
        if is_charged_now:
            # Nothing changes unless the difference is paid.
            params["payment_behavior"] = "error_if_incomplete"
        with _translated():
            self._client.v1.subscriptions.update(subscription.id, params=params, options={"idempotency_key": nonce})

    def set_end(self, subscription_id: str, *, ends_with_period: bool) -> None:
        with _translated():
            self._client.v1.subscriptions.update(subscription_id, params={"cancel_at_period_end": ends_with_period})

    def session(self, id: str) -> Session:
        with _translated():
            return _session(self._client.v1.checkout.sessions.retrieve(id))

    def subscription(self, id: str) -> SubscriptionState:
        with _translated():
            return _subscription(self._client.v1.subscriptions.retrieve(id))

    def invoice(self, id: str) -> InvoiceState:
        with _translated():
            return _invoice(self._client.v1.invoices.retrieve(id))

    def charge(self, id: str) -> ChargeState:
        with _translated():
            found = self._client.v1.charges.retrieve(id)
            reference = _get(found.metadata, "checkout")
            return ChargeState(found.id, _id(found.payment_intent), reference, found.amount_refunded, found.currency)

    def dispute(self, id: str) -> DisputeState:
        with _translated():
            found = self._client.v1.disputes.retrieve(id)
            return DisputeState(found.id, _id(found.charge) or "", found.amount, found.status not in _NOT_TAKEN)

    def price(self, id: str) -> PriceState:
        with _translated():
            found = self._client.v1.prices.retrieve(id)
            interval = found.recurring.interval if found.recurring else ""
            return PriceState(found.id, found.unit_amount or 0, found.currency, interval, found.active)


@contextmanager
def _translated() -> Iterator[None]:
    """Stripe's failures in our words. Its own messages name cards and objects, so they go to the log only."""
    try:
        yield
    except stripe.CardError as error:
        raise PaymentFailed(error.user_message or "The card was declined.") from error
    except stripe.StripeError as error:
        raise ProviderAway(f"{type(error).__name__}: {error.user_message or error}") from error
    except (AttributeError, KeyError, IndexError, TypeError) as error:
        raise ProviderAway(f"an answer of another shape than expected: {error!r}") from error


def _session(found: Any) -> Session:
    return Session(
        id=found.id,
        reference=found.client_reference_id,
        customer_id=_id(found.customer),
        mode=found.mode,
        status=found.status or "",
        is_paid=found.payment_status == "paid",
        amount_cents=found.amount_total or 0,
        currency=found.currency or "",
        payment_id=_id(found.payment_intent),
        subscription_id=_id(found.subscription),
        url=found.url or "",
    )


def _subscription(found: Any) -> SubscriptionState:
    """Since 2025 the period stands on the item (https://docs.stripe.com/changelog/basil)."""
    # `items` is also a method of a mapping.
    (item,) = found["items"].data
    reason = _get(_get(found, "cancellation_details"), "reason")
    return SubscriptionState(
        id=found.id,
        item_id=item.id,
        customer_id=_id(found.customer) or "",
        status=found.status,
        price_id=item.price.id,
        amount_cents=(item.price.unit_amount or 0) * (item.quantity or 1),
        currency=item.price.currency,
        period_start_at=_time(item.current_period_start),
        period_end_at=_time(item.current_period_end),
        # The portal ends a subscription by a date instead of the flag.
        ends_with_period=bool(found.cancel_at_period_end or _get(found, "cancel_at")),
        ended_unpaid=reason == "payment_failed",
    )


def _invoice(found: Any) -> InvoiceState:
    subscription = _get(_get(_get(found, "parent"), "subscription_details"), "subscription")
    paid_at = _get(_get(found, "status_transitions"), "paid_at")
    return InvoiceState(
        id=found.id,
        customer_id=_id(found.customer),
        subscription_id=_id(subscription),
        number=found.number or found.id,
        is_paid=found.status == "paid",
        amount_cents=found.amount_paid,
        currency=found.currency,
        url=found.hosted_invoice_url,
        paid_at=_time(paid_at) if paid_at else None,
    )


def _id(reference: Any) -> str | None:
    """An object is named by its id, or stands there whole when it was asked for."""
    return reference if reference is None or isinstance(reference, str) else reference.id


def _get(found: Any, name: str) -> Any:
    """A field that Stripe may leave out."""
    return getattr(found, name, None) if found is not None else None


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
