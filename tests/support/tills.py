"""A till with the small Stripe behind it, and short ways to order, pay and deliver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from llmrack.billing import checkout, credits, webhooks
from llmrack.billing.checkout import Billing, Buyer, Terms
from llmrack.clients.payments import Stripe
from llmrack.clients.provider import Event, PaymentGateway
from tests.support import made
from tests.support.fake_stripe import SECRET_KEY, WEBHOOK_SECRET, FakeStripe
from tests.support.stores import Desk
from tests.support.stripe.objects import Object


@pytest.fixture
def stripe(desk: Desk) -> Iterator[FakeStripe]:
    with FakeStripe(clock=lambda: desk.clock().timestamp()) as fake:
        yield fake


@pytest.fixture
def counter(desk: Desk, stripe: FakeStripe) -> Counter:
    provider = Stripe(SECRET_KEY, WEBHOOK_SECRET, stripe.url)
    prices = {"pro": stripe.price(1500), "business": stripe.price(6500)}
    return Counter(
        desk, stripe, Billing(desk.store, desk.plans, PaymentGateway(provider, prices, provider.form_origins))
    )


@dataclass
class Counter:
    """Where accounts buy. Deliveries go through the signature check, like those of the route."""

    desk: Desk
    stripe: FakeStripe
    till: Billing
    _heard: int = 0

    def account(self, name: str = "ada") -> int:
        return made.account(self.desk.store, name, self.desk.clock()).id

    def buyer(self, account_id: int) -> Buyer:
        here = "http://127.0.0.1/dashboard/billing"
        return Buyer(account_id, f"{account_id}@example.com", f"{here}/orders/{{checkout}}", here)

    def order_credits(self, account_id: int, cents: int = 500) -> str:
        """Open a payment page; its session's id."""
        url = checkout.buy_credits(self.till, self.buyer(account_id), cents, self.desk.clock())
        return url.rsplit("/", 1)[1]

    def order_plan(self, account_id: int, plan: str) -> str | None:
        wanted = self.desk.plans.get(plan)
        url = checkout.choose_plan(self.till, self.buyer(account_id), wanted, self.desk.clock())
        return url.rsplit("/", 1)[1] if url else None

    def subscribe(self, account_id: int, plan: str = "pro") -> str:
        """A paid subscription that has arrived here; its id at the provider."""
        session = self.order_plan(account_id, plan)
        self.stripe.pay(session)
        self.deliver_all()
        return str(self.stripe.get(session)["subscription"])

    def buy(self, account_id: int, cents: int = 500) -> str:
        """Credits that are paid for and have arrived; the id of the charge."""
        session = self.order_credits(account_id, cents)
        self.stripe.pay(session)
        self.deliver_all()
        return self.charge_of(session)

    def charge_of(self, session: str) -> str:
        intent = self.stripe.get(self.stripe.get(session)["payment_intent"])
        return str(intent["latest_charge"])

    def new_events(self) -> list[Object]:
        """What the provider has to tell since the last time."""
        new = self.stripe.events[self._heard :]
        self._heard = len(self.stripe.events)
        return new

    def event(self, event: Object) -> Event:
        provider = self.till.shop.provider
        return provider.event(*self.stripe.sign(event), self.desk.clock())

    def deliver(self, event: Object) -> str:
        return webhooks.handle(self.till, self.event(event), self.desk.clock())

    def deliver_all(self) -> list[str]:
        return [self.deliver(event) for event in self.new_events()]

    def terms(self, account_id: int) -> Terms:
        return checkout.terms(self.till, account_id, self.desk.clock())

    def plan(self, account_id: int) -> str:
        return self.terms(account_id).plan.id

    def left(self, account_id: int) -> int:
        """Credits in cents."""
        credits.check(self.desk.store)
        return credits.balance(self.desk.store, account_id).left_nanousd // 10**7
