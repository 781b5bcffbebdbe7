"""What a Stripe account holds, in the shapes of its API (version 2026-10-28), and what happens to it."""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Callable
from typing import Any

Object = dict[str, Any]
MONTH_S = 30 * 86_400


class Declined(Exception):
    """The card was declined."""


class Books:
    """The objects by id. Every change appends to `events` what Stripe would send. `clock` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.objects: dict[str, Object] = {}
        self.events: list[Object] = []
        self.declining: set[str] = set()
        self._numbers = itertools.count(1)

    def now(self) -> int:
        return int(self.clock())

    def make(self, prefix: str, kind: str, **fields: Any) -> Object:
        made = {"id": f"{prefix}_{next(self._numbers):06d}", "object": kind, "created": self.now(), "livemode": False}
        self.objects[made["id"]] = made | fields
        return self.objects[made["id"]]

    def get(self, id: str) -> Object:
        return self.objects[id]

    def all(self, kind: str) -> list[Object]:
        return [found for found in self.objects.values() if found["object"] == kind]

    def tell(self, type: str, about: Object) -> Object:
        """An event with the object as it is at this moment."""
        event = {
            "id": f"evt_{next(self._numbers):06d}",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": self.now(),
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": type,
            "data": {"object": copy.deepcopy(about)},
        }
        self.events.append(event)
        return event

    def price(self, cents: int, currency: str = "usd") -> str:
        recurring = {"interval": "month", "interval_count": 1, "usage_type": "licensed"}
        made = self.make("price", "price", active=True, unit_amount=cents, currency=currency, recurring=recurring)
        return str(made["id"])

    def open_session(self, params: Object, base_url: str) -> Object:
        (line,) = params["line_items"]
        price = self.get(line["price"]) if "price" in line else line["price_data"]
        session = self.make(
            "cs",
            "checkout.session",
            mode=params["mode"],
            status="open",
            payment_status="unpaid",
            customer=params["customer"],
            client_reference_id=params.get("client_reference_id"),
            amount_subtotal=int(price["unit_amount"]),
            amount_total=int(price["unit_amount"]),
            currency=price["currency"],
            payment_intent=None,
            subscription=None,
            success_url=params["success_url"],
            cancel_url=params["cancel_url"],
            metadata=params.get("metadata", {}),
            _price=line.get("price"),
            _payment_metadata=params.get("payment_intent_data", {}).get("metadata", {}),
        )
        session["url"] = f"{base_url}/pay/{session['id']}"
        return session

    def pay(self, session_id: str, *, is_slow: bool = False) -> None:
        """What happens when the payer presses Pay. A slow payment is known days later: `settle`."""
        with self.lock:
            session = self.get(session_id)
            if session["status"] != "open":
                return
            if session["customer"] in self.declining:
                raise Declined
            session |= {"status": "complete", "url": None, "payment_status": "unpaid" if is_slow else "paid"}
            if session["mode"] == "subscription":
                session["subscription"] = self._subscribe(session["customer"], session["_price"])["id"]
            elif not is_slow:
                self._charge(session)
            self.tell("checkout.session.completed", session)

    def settle(self, session_id: str, *, succeeds: bool) -> None:
        with self.lock:
            session = self.get(session_id)
            if succeeds:
                session["payment_status"] = "paid"
                self._charge(session)
            self.tell(f"checkout.session.async_payment_{'succeeded' if succeeds else 'failed'}", session)

    def expire(self, session_id: str) -> Object:
        with self.lock:
            session = self.get(session_id)
            session |= {"status": "expired", "url": None}
            self.tell("checkout.session.expired", session)
            return session

    def _charge(self, session: Object) -> None:
        intent = self.make("pi", "payment_intent", metadata=session["_payment_metadata"])
        session["payment_intent"] = intent["id"]
        charge = self.make(
            "ch",
            "charge",
            amount=session["amount_total"],
            amount_refunded=0,
            currency=session["currency"],
            customer=session["customer"],
            payment_intent=intent["id"],
            metadata=dict(session["_payment_metadata"]),
            disputed=False,
            refunded=False,
        )
        intent["latest_charge"] = charge["id"]
        self.tell("invoice.paid", self._invoice(session["customer"], None, session["amount_total"], "manual"))

    def _subscribe(self, customer: str, price_id: str) -> Object:
        item = self._item(price_id)
        subscription = self.make(
            "sub",
            "subscription",
            customer=customer,
            status="active",
            cancel_at_period_end=False,
            cancel_at=None,
            canceled_at=None,
            ended_at=None,
            cancellation_details={"comment": None, "feedback": None, "reason": None},
            items={"object": "list", "data": [item], "has_more": False, "url": "/v1/subscription_items"},
            metadata={},
        )
        item["subscription"] = subscription["id"]
        invoice = self._invoice(customer, subscription["id"], self.get(price_id)["unit_amount"], "subscription_create")
        subscription["latest_invoice"] = invoice["id"]
        self.tell("customer.subscription.created", subscription)
        self.tell("invoice.paid", invoice)
        return subscription

    def _item(self, price_id: str) -> Object:
        now = self.now()
        return {
            "id": f"si_{next(self._numbers):06d}",
            "object": "subscription_item",
            "created": now,
            "quantity": 1,
            "price": self.get(price_id),
            "current_period_start": now,
            "current_period_end": now + MONTH_S,
        }

    def _invoice(
        self, customer: str, subscription: str | None, cents: int, why: str, *, is_paid: bool = True
    ) -> Object:
        details = {"subscription": subscription, "metadata": {}} if subscription else None
        number = next(self._numbers)
        return self.make(
            "in",
            "invoice",
            number=f"F-{number:04d}",
            customer=customer,
            billing_reason=why,
            status="paid" if is_paid else "open",
            amount_due=cents,
            amount_paid=cents if is_paid else 0,
            currency="usd",
            hosted_invoice_url=f"https://invoice.stripe.com/i/{number}",
            parent={"type": "subscription_details", "subscription_details": details} if details else None,
            status_transitions={"paid_at": self.now() if is_paid else None},
        )

    def update(self, subscription_id: str, params: Object) -> Object:
        """`POST /v1/subscriptions/{id}`: another price, with the difference charged at once or not, or an end."""
        with self.lock:
            subscription = self.get(subscription_id)
            (item,) = subscription["items"]["data"]
            if "items" in params:
                price = self.get(params["items"][0]["price"])
                if params.get("proration_behavior") == "always_invoice":
                    self._charge_difference(subscription, item, price)
                item["price"] = price
            if "cancel_at_period_end" in params:
                is_ending = params["cancel_at_period_end"] in (True, "true", "True")
                reason = "cancellation_requested" if is_ending else None
                subscription |= {"cancel_at_period_end": is_ending, "canceled_at": self.now() if is_ending else None}
                subscription["cancellation_details"]["reason"] = reason
            self.tell("customer.subscription.updated", subscription)
            return subscription

    def _charge_difference(self, subscription: Object, item: Object, price: Object) -> None:
        if subscription["customer"] in self.declining:
            raise Declined
        left = (item["current_period_end"] - self.now()) / MONTH_S
        cents = max(0, round((price["unit_amount"] - item["price"]["unit_amount"]) * left))
        invoice = self._invoice(subscription["customer"], subscription["id"], cents, "subscription_update")
        self.tell("invoice.paid", invoice)

    def renew(self, subscription_id: str) -> None:
        """What happens at the period's end: an end that was asked for, or the next period, paid or not."""
        with self.lock:
            subscription = self.get(subscription_id)
            if subscription["status"] == "canceled":
                return
            if subscription["cancel_at_period_end"]:
                self.cancel(subscription_id, subscription["cancellation_details"]["reason"])
                return
            (item,) = subscription["items"]["data"]
            item["current_period_start"] = item["current_period_end"]
            item["current_period_end"] += MONTH_S
            self._collect(subscription, item["price"]["unit_amount"], "subscription_cycle")

    def collect(self, subscription_id: str) -> None:
        """Stripe tries the payment of a past-due subscription again."""
        with self.lock:
            subscription = self.get(subscription_id)
            self._collect(subscription, subscription["items"]["data"][0]["price"]["unit_amount"], "subscription_cycle")

    def _collect(self, subscription: Object, cents: int, why: str) -> None:
        is_paid = subscription["customer"] not in self.declining
        invoice = self._invoice(subscription["customer"], subscription["id"], cents, why, is_paid=is_paid)
        subscription |= {"status": "active" if is_paid else "past_due", "latest_invoice": invoice["id"]}
        self.tell("customer.subscription.updated", subscription)
        self.tell("invoice.paid" if is_paid else "invoice.payment_failed", invoice)

    def cancel(self, subscription_id: str, reason: str | None = "cancellation_requested") -> Object:
        with self.lock:
            subscription = self.get(subscription_id)
            subscription |= {"status": "canceled", "ended_at": self.now()}
            subscription["cancellation_details"]["reason"] = reason
            self.tell("customer.subscription.deleted", subscription)
            return subscription

    def refund(self, charge_id: str, cents: int) -> None:
        with self.lock:
            charge = self.get(charge_id)
            charge["amount_refunded"] += cents
            charge["refunded"] = charge["amount_refunded"] == charge["amount"]
            self.tell("charge.refunded", charge)

    def dispute(self, charge_id: str) -> str:
        with self.lock:
            charge = self.get(charge_id)
            charge["disputed"] = True
            facts = {"charge": charge_id, "amount": charge["amount"], "currency": charge["currency"]}
            made = self.make("dp", "dispute", status="needs_response", payment_intent=charge["payment_intent"], **facts)
            self.tell("charge.dispute.created", made)
            return str(made["id"])

    def close_dispute(self, dispute_id: str, status: str) -> None:
        with self.lock:
            dispute = self.get(dispute_id)
            dispute["status"] = status
            self.tell("charge.dispute.closed", dispute)
