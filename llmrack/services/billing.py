"""What an account's owner can do about money: subscribe, change or end a plan, buy credits, set limits on spending.

Nothing here grants anything. It opens pages of the payment provider; what was paid arrives by `fulfilment`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from ..clients.provider import CURRENCY, NANOUSD_PER_CENT, Order, Session, Shop, SubscriptionState
from ..plans import Plan, Plans
from ..store import billing as tables
from ..store.billing import Checkout, Customer, Invoice
from ..store.db import Store
from ..store.models import Account
from . import subscriptions

LEAST_CENTS, MOST_CENTS = 500, 100_000
USUAL_CENTS = (500, 1000, 2500, 5000, 10_000)


class Refused(ValueError):
    """What was asked for cannot be had; the message says why, and what to do."""


@dataclass(frozen=True)
class Till:
    """What billing works with. Without a shop, plans and credits are the operator's to give."""

    store: Store
    plans: Plans
    shop: Shop | None = None


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


@dataclass(frozen=True)
class InvoiceFacts:
    """A paid invoice for a plan."""

    id: str
    number: str
    amount_cents: int
    currency: str
    url: str | None
    paid_at: datetime


@dataclass(frozen=True)
class Terms:
    """An account's plan with its dates, and its word on credits. `plan` is in force now."""

    plan: Plan
    ends_at: datetime | None
    next_plan: Plan | None
    uses_credits: bool
    nanousd_per_month: int | None


def terms(till: Till, account_id: int, now: datetime) -> Terms:
    columns = (
        Account.plan_id,
        Account.plan_ends_at,
        Account.next_plan_id,
        Account.uses_credits,
        Account.nanousd_per_month,
    )
    with till.store.read() as connection:
        row = connection.execute(select(*columns).where(Account.id == account_id)).one()
    plan = till.plans.in_force(row.plan_id, row.plan_ends_at, row.next_plan_id, now)
    if row.plan_ends_at is None or row.plan_ends_at <= now:
        return Terms(plan, None, None, row.uses_credits, row.nanousd_per_month)
    next_plan = till.plans.get(row.next_plan_id or "") or till.plans.default
    return Terms(plan, row.plan_ends_at, next_plan, row.uses_credits, row.nanousd_per_month)


def set_spending(store: Store, account_id: int, *, uses_credits: bool, nanousd_per_month: int | None) -> None:
    """What the account's owner lets its credits be used for, from the next request on."""
    values = {"uses_credits": uses_credits, "nanousd_per_month": nanousd_per_month}
    with store.write() as connection:
        connection.execute(update(Account).where(Account.id == account_id).values(values))


def buy_credits(till: Till, buyer: Buyer, amount_cents: int, now: datetime) -> str:
    """The address of a page where `amount_cents` can be paid. Raises Refused, ProviderAway."""
    shop = _shop(till)
    if not LEAST_CENTS <= amount_cents <= MOST_CENTS:
        raise Refused(f"Buy between ${LEAST_CENTS // 100} and ${MOST_CENTS // 100:,} of credits at a time.")
    checkout_id = _write_order(till, shop, buyer, now, kind=tables.CREDITS, amount_cents=amount_cents)
    return _open(till, shop.provider.open_credits, checkout_id, buyer).url


def choose_plan(till: Till, buyer: Buyer, plan: Plan, now: datetime) -> str | None:
    """Move an account to `plan`: the address where it is paid, or None when there is nothing to pay there.

    Raises Refused, PaymentFailed, ProviderAway.
    """
    known = subscriptions.known(till.store, buyer.account_id)
    if known is None or not known.is_live:
        if plan.monthly_nanousd:
            return _subscribe(till, buyer, plan, now)
        subscriptions.choose_free(till.store, buyer.account_id, plan, now)
    elif plan.monthly_nanousd:
        _change(till, buyer, known, plan, now)
    else:
        subscriptions.set_then(till.store, buyer.account_id, None if plan.is_default else plan)
        _shop(till).provider.set_end(known.provider_id, ends_with_period=True)
    return None


def keep_plan(till: Till, account_id: int) -> None:
    """Undo a cancellation that has not taken effect. Raises Refused, ProviderAway."""
    known = subscriptions.known(till.store, account_id)
    if known is None or not known.is_live:
        raise Refused("There is no subscription to keep. Choose a plan.")
    subscriptions.set_then(till.store, account_id, None)
    _shop(till).provider.set_end(known.provider_id, ends_with_period=False)


def leave(till: Till, account_id: int) -> None:
    """End the subscription of an account that is being deleted, so that nobody pays for it. Raises ProviderAway."""
    known = subscriptions.known(till.store, account_id)
    if till.shop is not None and known is not None and known.is_live:
        till.shop.provider.set_end(known.provider_id, ends_with_period=True)


def portal_url(till: Till, buyer: Buyer) -> str:
    """Where the card, the invoices and the subscription are looked after. Raises Refused, ProviderAway."""
    shop = _shop(till)
    return shop.provider.portal_url(_customer(till, shop, buyer), buyer.billing_url)


def _subscribe(till: Till, buyer: Buyer, plan: Plan, now: datetime) -> str:
    shop = _shop(till)
    _price(shop, plan)
    _close_open_orders(till, shop, buyer.account_id, now)
    checkout_id = _write_order(till, shop, buyer, now, kind=tables.PLAN, plan=plan)
    return _open(till, shop.provider.open_plan, checkout_id, buyer).url


def _change(till: Till, buyer: Buyer, known: subscriptions.Known, plan: Plan, now: datetime) -> None:
    """Upgrades are paid for at once; a downgrade, and taking one back, changes only what the next period costs."""
    shop = _shop(till)
    if known.failed_at is not None:
        raise Refused("The last payment failed. Pay it first: Manage card and invoices.")
    price_id = _price(shop, plan)
    seen: SubscriptionState = shop.provider.subscription(known.provider_id)
    if price_id == seen.price_id and not seen.ends_with_period:
        raise Refused(f"{plan.name} is what this subscription pays for already.")
    in_force = till.plans.get(known.plan_id)
    is_upgrade = in_force is None or plan.monthly_nanousd > in_force.monthly_nanousd
    checkout_id = _write_order(till, shop, buyer, now, kind=tables.PLAN, plan=plan, session=False)
    subscriptions.set_then(till.store, buyer.account_id, None)
    shop.provider.change_price(seen, price_id, checkout_id, is_charged_now=is_upgrade)


def _shop(till: Till) -> Shop:
    if till.shop is None:
        raise Refused("This server takes no payments. Its operator sets plans and grants credits.")
    return till.shop


def _price(shop: Shop, plan: Plan) -> str:
    if plan.id not in shop.prices:
        raise Refused(f"{plan.name} cannot be bought here. Ask the operator.")
    return shop.prices[plan.id]


def _customer(till: Till, shop: Shop, buyer: Buyer) -> str:
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


def _write_order(
    till: Till,
    shop: Shop,
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
        "customer_id": _customer(till, shop, buyer),
        "state": tables.OPEN if session else tables.PAID,
        "created_at": now,
    }
    with till.store.write() as connection:
        connection.execute(insert(Checkout).values(row))
    return checkout_id


def _open(till: Till, opener: Any, checkout_id: str, buyer: Buyer) -> Session:
    order = checkout(till.store, checkout_id)
    session: Session = opener(
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


def _close_open_orders(till: Till, shop: Shop, account_id: int, now: datetime) -> None:
    """Whoever comes back to choose again could otherwise pay for two subscriptions."""
    with till.store.read() as connection:
        statement = select(Checkout.id, Checkout.session_id).where(
            Checkout.account_id == account_id, Checkout.kind == tables.PLAN, Checkout.state == tables.OPEN
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


def invoices(store: Store, account_id: int, limit: int = 24) -> list[InvoiceFacts]:
    """The paid invoices of an account's plans, the newest first."""
    columns = [Invoice.__table__.c[name] for name in InvoiceFacts.__dataclass_fields__]
    statement = select(*columns).where(Invoice.account_id == account_id).order_by(Invoice.paid_at.desc()).limit(limit)
    with store.read() as connection:
        return [InvoiceFacts(*row) for row in connection.execute(statement)]
