"""Orders: our own record of what an account asked to pay for, written before the payment provider hears of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from ..clients.provider import CURRENCY, NANOUSD_PER_CENT, Order, PaymentGateway, Session
from ..plans import Plan, Plans
from ..store.database import Store
from ..store.tables import billing as tables
from ..store.tables.billing import Checkout, Customer


class Refused(ValueError):
    """What was asked for cannot be had; the message says why, and what to do."""


@dataclass(frozen=True)
class Billing:
    """What billing works with. Without a shop, plans and credits are the operator's to give."""

    store: Store
    plans: Plans
    shop: PaymentGateway | None = None


@dataclass(frozen=True)
class Buyer:
    """Who pays, and where the provider sends them afterwards; `{checkout}` in `return_url` becomes the order's id."""

    account_id: int
    email: str | None
    return_url: str
    billing_url: str


@dataclass(frozen=True)
class CheckoutFacts:
    """One order, as stored."""

    id: str
    account_id: int
    kind: str
    plan_id: str | None
    price_id: str | None
    amount_cents: int
    currency: str
    customer_id: str
    session_id: str | None
    payment_id: str | None
    state: str
    returned_cents: int
    disputed_cents: int
    version: int
    created_at: datetime


def write(
    till: Billing,
    shop: PaymentGateway,
    buyer: Buyer,
    now: datetime,
    *,
    kind: str,
    amount_cents: int = 0,
    plan: Plan | None = None,
    session: bool = True,
) -> str:
    """Our own record of what is asked for, written before the provider hears of it; its id."""
    checkout_id = f"co_{secrets.token_hex(16)}"
    row: dict[str, Any] = {
        "id": checkout_id,
        "account_id": buyer.account_id,
        "kind": kind,
        "plan_id": plan.id if plan else None,
        "price_id": shop.prices[plan.id] if plan else None,
        "amount_cents": plan.monthly_nanousd // NANOUSD_PER_CENT if plan else amount_cents,
        "currency": CURRENCY,
        "customer_id": customer(till, shop, buyer),
        "state": tables.OPEN if session else tables.PAID,
        "created_at": now,
    }
    with till.store.write() as connection:
        connection.execute(insert(Checkout).values(row))
    return checkout_id


def open_page(till: Billing, opener: Callable[[Order], Session], checkout_id: str, buyer: Buyer) -> Session:
    order = checkout(till.store, checkout_id)
    session = opener(
        Order(
            id=checkout_id,
            customer_id=order.customer_id,
            amount_cents=order.amount_cents,
            price_id=order.price_id,
            success_url=buyer.return_url.replace("{checkout}", checkout_id),
            cancel_url=buyer.billing_url,
        )
    )
    with till.store.write() as connection:
        connection.execute(update(Checkout).where(Checkout.id == checkout_id).values(session_id=session.id))
    return session


def close_open(till: Billing, shop: PaymentGateway, account_id: int, now: datetime, *, kinds: tuple[str, ...]) -> None:
    """End the open orders of these kinds: who comes back to choose again could pay twice, who has left for nothing."""
    with till.store.read() as connection:
        statement = select(Checkout.id, Checkout.session_id).where(
            Checkout.account_id == account_id, Checkout.kind.in_(kinds), Checkout.state == tables.OPEN
        )
        orders = connection.execute(statement).all()
    for order in orders:
        if order.session_id is not None and shop.provider.session(order.session_id).status == "open":
            shop.provider.expire(order.session_id)
        with till.store.write() as connection:
            same = (Checkout.id == order.id, Checkout.state == tables.OPEN)
            connection.execute(update(Checkout).where(*same).values(state=tables.CLOSED, closed_at=now))


def checkout(store: Store, checkout_id: str, account_id: int | None = None) -> CheckoutFacts:
    """One order, of this account if one is named. Raises Refused."""
    columns = [Checkout.__table__.c[name] for name in CheckoutFacts.__dataclass_fields__]
    statement = select(*columns).where(Checkout.id == checkout_id)
    if account_id is not None:
        statement = statement.where(Checkout.account_id == account_id)
    with store.read() as connection:
        row = connection.execute(statement).first()
    if row is None:
        raise Refused("There is no such order.")
    return CheckoutFacts(*row)


def customer(till: Billing, shop: PaymentGateway, buyer: Buyer) -> str:
    """The provider's customer of an account, made once: two tries at the same time send the same nonce."""
    with till.store.write() as connection:
        found = connection.execute(
            select(Customer.provider_id, Customer.nonce).where(Customer.account_id == buyer.account_id)
        ).first()
        nonce = found.nonce if found else secrets.token_hex(16)
        if found is None:
            connection.execute(insert(Customer).values(account_id=buyer.account_id, nonce=nonce))
    if found is not None and found.provider_id is not None:
        return str(found.provider_id)
    customer_id = shop.provider.create_customer(buyer.account_id, buyer.email, nonce)
    with till.store.write() as connection:
        statement = update(Customer).where(Customer.account_id == buyer.account_id).values(provider_id=customer_id)
        connection.execute(statement)
    return customer_id
