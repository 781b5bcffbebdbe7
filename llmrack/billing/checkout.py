"""What an account's owner can do about money: subscribe, change or end a plan, buy credits, set limits on spending.

Nothing here grants anything. It opens pages of the payment provider; what was paid arrives by `fulfilment`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from ..clients.provider import PaymentGateway, SubscriptionState
from ..plans import Plan
from ..store.database import Store
from ..store.tables import billing as tables
from ..store.tables.billing import Invoice
from ..store.tables.usage import Account
from . import credits, orders, subscriptions
from .orders import Billing, Buyer, CheckoutFacts, Refused, checkout

__all__ = ["Billing", "Buyer", "CheckoutFacts", "Refused", "checkout"]

LEAST_CENTS, MOST_CENTS = 500, 100_000
USUAL_CENTS = (500, 1000, 2500, 5000, 10_000)


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


def terms(till: Billing, account_id: int, now: datetime) -> Terms:
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
    next_plan = till.plans.get_or_default(row.next_plan_id)
    return Terms(plan, row.plan_ends_at, next_plan, row.uses_credits, row.nanousd_per_month)


def set_spending(store: Store, account_id: int, *, uses_credits: bool, nanousd_per_month: int | None) -> None:
    """What the account's owner lets its credits be used for, from the next request on."""
    values = {"uses_credits": uses_credits, "nanousd_per_month": nanousd_per_month}
    with store.write() as connection:
        connection.execute(update(Account).where(Account.id == account_id).values(values))


def buy_credits(till: Billing, buyer: Buyer, amount_cents: int, now: datetime) -> str:
    """The address of a page where `amount_cents` can be paid. Raises Refused, ProviderAway."""
    shop = _shop(till)
    if not LEAST_CENTS <= amount_cents <= MOST_CENTS:
        raise Refused(f"Buy between ${LEAST_CENTS // 100} and ${MOST_CENTS // 100:,} of credits at a time.")
    checkout_id = orders.write(till, shop, buyer, now, kind=tables.CREDITS, amount_cents=amount_cents)
    return orders.open_page(till, shop.provider.open_credits, checkout_id, buyer).url


def choose_plan(till: Billing, buyer: Buyer, plan: Plan, now: datetime) -> str | None:
    """Move an account to `plan`: the address where it is paid, or None when there is nothing to pay there.

    Raises Refused, PaymentFailed, ProviderAway.
    """
    if (reason := why_not(till, buyer.account_id, plan)) is not None:
        raise Refused(reason)
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


def why_not(till: Billing, account_id: int, plan: Plan) -> str | None:
    """Why this plan would answer no request of the account's, as a sentence; None when it would."""
    if not plan.is_prepaid or till.shop is not None or credits.balance(till.store, account_id).left_nanousd > 0:
        return None
    return f"{plan.name} is paid from credits: this account has none, and none can be bought here. Ask the operator."


def keep_plan(till: Billing, account_id: int) -> None:
    """Undo a cancellation that has not taken effect. Raises Refused, ProviderAway."""
    known = subscriptions.known(till.store, account_id)
    if known is None or not known.is_live:
        raise Refused("There is no subscription to keep. Choose a plan.")
    subscriptions.set_then(till.store, account_id, None)
    _shop(till).provider.set_end(known.provider_id, ends_with_period=False)


def leave(till: Billing, account_id: int, now: datetime) -> None:
    """End the subscription of an account that is being deleted and its open orders, so that they are not paid any more.

    Raises ProviderAway.
    """
    if till.shop is not None:
        orders.close_open(till, till.shop, account_id, now, kinds=(tables.PLAN, tables.CREDITS))
    known = subscriptions.known(till.store, account_id)
    if till.shop is not None and known is not None and known.is_live:
        till.shop.provider.set_end(known.provider_id, ends_with_period=True)


def portal_url(till: Billing, buyer: Buyer) -> str:
    """Where the card, the invoices and the subscription are looked after. Raises Refused, ProviderAway."""
    shop = _shop(till)
    return shop.provider.portal_url(orders.customer(till, shop, buyer), buyer.billing_url)


def _subscribe(till: Billing, buyer: Buyer, plan: Plan, now: datetime) -> str:
    shop = _shop(till)
    _price(shop, plan)
    orders.close_open(till, shop, buyer.account_id, now, kinds=(tables.PLAN,))
    checkout_id = orders.write(till, shop, buyer, now, kind=tables.PLAN, plan=plan)
    return orders.open_page(till, shop.provider.open_plan, checkout_id, buyer).url


def _change(till: Billing, buyer: Buyer, known: subscriptions.Known, plan: Plan, now: datetime) -> None:
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
    checkout_id = orders.write(till, shop, buyer, now, kind=tables.PLAN, plan=plan, session=False)
    subscriptions.set_then(till.store, buyer.account_id, None)
    shop.provider.change_price(seen, price_id, checkout_id, is_charged_now=is_upgrade)


def _shop(till: Billing) -> PaymentGateway:
    if till.shop is None:
        raise Refused("This server takes no payments. Its operator sets plans and grants credits.")
    return till.shop


def _price(shop: PaymentGateway, plan: Plan) -> str:
    if plan.id not in shop.prices:
        raise Refused(f"{plan.name} cannot be bought here. Ask the operator.")
    return shop.prices[plan.id]


def invoices(store: Store, account_id: int, limit: int = 24) -> list[InvoiceFacts]:
    """The paid invoices of an account's plans, the newest first."""
    columns = [Invoice.__table__.c[name] for name in InvoiceFacts.__dataclass_fields__]
    statement = select(*columns).where(Invoice.account_id == account_id).order_by(Invoice.paid_at.desc()).limit(limit)
    with store.read() as connection:
        return [InvoiceFacts(*row) for row in connection.execute(statement)]
