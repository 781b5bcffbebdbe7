"""What LLMRack asks of a payment provider, and what it hears back, the same for every provider.

Amounts are integers of the currency's smallest unit (cents); ids are the provider's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

# A message may be this much older or newer than our clock: room for clocks that differ, too little to replay one.
SKEW_S = 300
NANOUSD_PER_CENT = 10**7
CURRENCY = "usd"


class BadSignature(ValueError):
    """A message that the provider did not sign, or not just now; the message says which."""


class PaymentFailed(Exception):
    """The provider took no money; the message is for the payer."""


class ProviderAway(Exception):
    """The provider cannot be reached, or did not understand us; the message is for the log."""


@dataclass(frozen=True)
class Event:
    """Something happened to the object `object_id`. What it says about that object is not believed but read again."""

    id: str
    type: str
    object_id: str
    created_at: datetime


@dataclass(frozen=True)
class Order:
    """What is to be paid for. `id` is ours, and asking twice with the same one opens one page."""

    id: str
    customer_id: str
    amount_cents: int
    price_id: str | None
    success_url: str
    cancel_url: str


@dataclass(frozen=True)
class Session:
    """A payment page. `reference` is our order's id; `url` is empty once it cannot be paid any more."""

    id: str
    reference: str | None
    customer_id: str | None
    mode: str
    status: str
    is_paid: bool
    amount_cents: int
    currency: str
    payment_id: str | None
    subscription_id: str | None
    url: str


@dataclass(frozen=True)
class SubscriptionState:
    """A subscription to one price, as the provider has it at this moment."""

    id: str
    item_id: str
    customer_id: str
    status: str
    price_id: str
    amount_cents: int
    currency: str
    period_start_at: datetime
    period_end_at: datetime
    ends_with_period: bool
    ended_unpaid: bool


@dataclass(frozen=True)
class InvoiceState:
    """An invoice; without a subscription it is for something else than a plan."""

    id: str
    customer_id: str | None
    subscription_id: str | None
    number: str
    is_paid: bool
    amount_cents: int
    currency: str
    url: str | None
    paid_at: datetime | None


@dataclass(frozen=True)
class ChargeState:
    """Money that was taken, and how much of it went back. `reference` is our order's id where we gave one."""

    id: str
    payment_id: str | None
    reference: str | None
    refunded_cents: int
    currency: str


@dataclass(frozen=True)
class DisputeState:
    """A payer's complaint to the bank. `is_taken` as long as the bank keeps the money."""

    id: str
    charge_id: str
    amount_cents: int
    is_taken: bool


@dataclass(frozen=True)
class PriceState:
    """What a price asks for each `interval`."""

    id: str
    amount_cents: int
    currency: str
    interval: str
    is_active: bool


class Provider(Protocol):
    """Every call but `event` may raise ProviderAway."""

    def event(self, payload: bytes, signature: str | None, now: datetime) -> Event:
        """The message in a webhook's raw body. Raises BadSignature."""

    def create_customer(self, account_id: int, email: str | None, nonce: str) -> str: ...

    def open_credits(self, order: Order) -> Session: ...

    def open_plan(self, order: Order) -> Session: ...

    def expire(self, session_id: str) -> None:
        """Close a payment page that was not paid."""

    def portal_url(self, customer_id: str, return_url: str) -> str: ...

    def change_price(self, subscription: SubscriptionState, price_id: str, nonce: str, *, is_charged_now: bool) -> None:
        """Move a subscription to another price. Raises PaymentFailed when the difference is due now and not paid."""

    def set_end(self, subscription_id: str, *, ends_with_period: bool) -> None: ...

    def session(self, id: str) -> Session: ...

    def subscription(self, id: str) -> SubscriptionState: ...

    def invoice(self, id: str) -> InvoiceState: ...

    def charge(self, id: str) -> ChargeState: ...

    def dispute(self, id: str) -> DisputeState: ...

    def price(self, id: str) -> PriceState: ...


@dataclass(frozen=True)
class PaymentGateway:
    """A provider and what it charges: the id of a price for each plan that can be bought."""

    provider: Provider
    prices: dict[str, str]
    form_origins: tuple[str, ...]
