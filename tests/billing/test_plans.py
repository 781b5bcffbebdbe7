"""Plans with dates: upgrades at once, downgrades with the period, seven days of grace, and the operator's word."""

from __future__ import annotations

from datetime import timedelta

import pytest

from llmrack.accounts import audit
from llmrack.billing import checkout, credits, subscriptions, webhooks
from llmrack.billing.checkout import Billing
from llmrack.clients.provider import PaymentFailed
from llmrack.keys import authentication
from tests.support import made
from tests.support.stores import NOON, Desk
from tests.support.tills import Counter


def history(counter: Counter, account_id: int) -> list[tuple[str | None, int, str]]:
    """(plan, in how many days from noon, why), the oldest first."""
    rows = subscriptions.history(counter.desk.store, account_id)
    return [(row.plan_id, (row.starts_at - NOON).days, row.reason) for row in reversed(rows)]


def test_a_paid_upgrade_holds_from_the_next_request_on(counter: Counter) -> None:
    account_id = counter.account()
    secret = made.key(counter.desk.store, name="k", mode="live", account="ada", now=NOON).secret
    counter.subscribe(account_id, "pro")
    assert authentication.resolve(counter.desk.store, counter.desk.plans, secret, NOON).plan.id == "pro"
    assert counter.order_plan(account_id, "business") is None
    counter.deliver_all()
    assert authentication.resolve(counter.desk.store, counter.desk.plans, secret, NOON).plan.id == "business"
    assert history(counter, account_id) == [("pro", 0, "paid"), ("business", 0, "paid")]


def test_nothing_is_granted_before_the_message_arrives(counter: Counter) -> None:
    account_id = counter.account()
    counter.stripe.pay(counter.order_plan(account_id, "pro"))
    assert counter.plan(account_id) == "free"


def test_an_upgrade_that_is_not_paid_changes_nothing(counter: Counter) -> None:
    account_id = counter.account()
    counter.subscribe(account_id, "pro")
    counter.stripe.declining.add(counter.stripe.all("customer")[0]["id"])
    with pytest.raises(PaymentFailed):
        counter.order_plan(account_id, "business")
    counter.deliver_all()
    assert counter.plan(account_id) == "pro"


def test_a_downgrade_waits_for_the_periods_end(counter: Counter) -> None:
    account_id = counter.account()
    subscription = counter.subscribe(account_id, "business")
    counter.order_plan(account_id, "pro")
    counter.deliver_all()
    terms = counter.terms(account_id)
    assert (terms.plan.id, terms.next_plan.id, terms.ends_at) == ("business", "pro", NOON + timedelta(days=30))
    counter.desk.clock.forward(days=30)
    assert counter.plan(account_id) == "pro"
    counter.stripe.renew(subscription)
    counter.deliver_all()
    assert counter.plan(account_id) == "pro"
    assert [row.amount_cents for row in checkout.invoices(counter.desk.store, account_id)] == [1500, 6500]


def test_taking_a_downgrade_back_costs_nothing(counter: Counter) -> None:
    account_id = counter.account()
    counter.subscribe(account_id, "business")
    for plan in ("pro", "business"):
        counter.order_plan(account_id, plan)
        counter.deliver_all()
    terms = counter.terms(account_id)
    assert (terms.plan.id, terms.next_plan.id) == ("business", "free")
    assert len(checkout.invoices(counter.desk.store, account_id)) == 1


def test_cancelling_keeps_the_plan_until_the_period_ends(counter: Counter) -> None:
    account_id = counter.account()
    subscription = counter.subscribe(account_id, "pro")
    counter.order_plan(account_id, "free")
    counter.deliver_all()
    assert counter.terms(account_id).ends_at == NOON + timedelta(days=30)
    counter.desk.clock.forward(days=29, hours=23)
    assert counter.plan(account_id) == "pro"
    counter.desk.clock.forward(hours=1)
    assert counter.plan(account_id) == "free"
    counter.stripe.renew(subscription)
    counter.deliver_all()
    assert counter.plan(account_id) == "free"


def test_a_cancelled_plan_can_be_kept_before_it_ends(counter: Counter) -> None:
    account_id = counter.account()
    counter.subscribe(account_id, "pro")
    counter.order_plan(account_id, "payg")
    counter.deliver_all()
    assert counter.terms(account_id).next_plan.id == "payg"
    checkout.keep_plan(counter.till, account_id)
    counter.deliver_all()
    assert counter.terms(account_id).ends_at == NOON + timedelta(days=37)
    assert history(counter, account_id) == [
        ("pro", 0, "paid"),
        ("payg", 30, "cancelled for the period's end"),
        ("pro", 0, "paid"),
    ]


def test_what_was_wanted_after_the_end_is_what_comes(counter: Counter) -> None:
    account_id = counter.account()
    subscription = counter.subscribe(account_id, "pro")
    counter.order_plan(account_id, "payg")
    counter.desk.clock.forward(days=30)
    counter.stripe.renew(subscription)
    counter.deliver_all()
    assert counter.plan(account_id) == "payg"


def test_a_failed_payment_leaves_seven_days_then_the_default_plan_and_deletes_nothing(counter: Counter) -> None:
    account_id = counter.account()
    secret = made.key(counter.desk.store, name="k", mode="live", account="ada", now=NOON).secret
    subscription = counter.subscribe(account_id, "pro")
    counter.buy(account_id, 500)
    customer = counter.stripe.all("customer")[0]["id"]
    counter.stripe.declining.add(customer)
    counter.desk.clock.forward(days=30)
    counter.stripe.renew(subscription)
    counter.deliver_all()
    counter.desk.clock.forward(days=3)
    counter.stripe.collect(subscription)
    counter.deliver_all()
    counter.desk.clock.forward(days=3, hours=23)
    assert counter.plan(account_id) == "pro"
    counter.desk.clock.forward(hours=1)
    assert counter.plan(account_id) == "free"
    caller = authentication.resolve(counter.desk.store, counter.desk.plans, secret, counter.desk.clock())
    assert caller.plan.id == "free"
    assert counter.left(account_id) == 500
    counter.stripe.declining.discard(customer)
    counter.stripe.collect(subscription)
    counter.deliver_all()
    assert counter.plan(account_id) == "pro"


def test_a_subscription_given_up_early_still_has_its_days_of_grace(counter: Counter) -> None:
    account_id = counter.account()
    subscription = counter.subscribe(account_id, "pro")
    counter.stripe.declining.add(counter.stripe.all("customer")[0]["id"])
    counter.desk.clock.forward(days=30)
    counter.stripe.renew(subscription)
    counter.deliver_all()
    counter.desk.clock.forward(days=2)
    counter.stripe.cancel(subscription, "payment_failed")
    counter.deliver_all()
    assert counter.terms(account_id).ends_at == NOON + timedelta(days=37)
    counter.desk.clock.forward(days=5)
    assert counter.plan(account_id) == "free"


def test_a_dearer_plan_does_not_begin_unpaid(counter: Counter) -> None:
    account_id = counter.account()
    subscription = counter.subscribe(account_id, "pro")
    counter.stripe.declining.add(counter.stripe.all("customer")[0]["id"])
    # As the provider's own pages could do it.
    counter.stripe.update(subscription, {"items": [{"price": counter.till.shop.prices["business"]}]})
    counter.stripe.get(subscription)["status"] = "past_due"
    counter.deliver_all()
    assert counter.plan(account_id) == "pro"


def test_a_missed_renewal_is_found_by_looking(counter: Counter) -> None:
    account_id = counter.account()
    subscription = counter.subscribe(account_id, "pro")
    counter.desk.clock.forward(days=31)
    assert webhooks.overdue(counter.desk.store, counter.desk.clock()) == [account_id]
    counter.stripe.renew(subscription)
    counter.new_events()
    assert webhooks.sync(counter.till, account_id, counter.desk.clock()) == "pro: paid"
    assert webhooks.overdue(counter.desk.store, counter.desk.clock()) == []
    counter.desk.clock.forward(days=29)
    assert counter.plan(account_id) == "pro"


def test_a_plan_nobody_renews_ends_seven_days_after_its_period(counter: Counter) -> None:
    account_id = counter.account()
    counter.subscribe(account_id, "pro")
    counter.desk.clock.forward(days=37)
    assert counter.plan(account_id) == "free"


def test_choosing_again_closes_the_page_that_was_open(counter: Counter) -> None:
    account_id = counter.account()
    first = counter.order_plan(account_id, "pro")
    second = counter.order_plan(account_id, "business")
    assert counter.stripe.get(first)["status"] == "expired"
    counter.stripe.pay(second)
    counter.deliver_all()
    assert counter.plan(account_id) == "business"


def test_a_second_subscription_is_left_to_a_person(counter: Counter) -> None:
    account_id = counter.account()
    counter.subscribe(account_id, "pro")
    counter.stripe._subscribe(counter.stripe.all("customer")[0]["id"], counter.till.shop.prices["business"])
    assert any("second subscription" in result for result in counter.deliver_all())
    assert counter.plan(account_id) == "pro"
    assert any(row.action == "payment.refused" for row in audit.entries(counter.desk.store))


def test_an_old_price_still_gives_the_plan_it_was_ordered_for(counter: Counter) -> None:
    account_id = counter.account()
    subscription = counter.subscribe(account_id, "pro")
    counter.till.shop.prices["pro"] = counter.stripe.price(1500)
    counter.desk.clock.forward(days=30)
    counter.stripe.renew(subscription)
    counter.deliver_all()
    assert counter.terms(account_id).ends_at == NOON + timedelta(days=67)


@pytest.mark.parametrize("cents", [0, -500, 499, 100_001])
def test_credits_come_in_sensible_amounts(counter: Counter, cents: int) -> None:
    with pytest.raises(checkout.Refused):
        counter.order_credits(counter.account(), cents)


def test_one_account_is_one_customer(counter: Counter) -> None:
    account_id = counter.account()
    for _ in range(3):
        counter.order_credits(account_id)
    assert len(counter.stripe.all("customer")) == 1


def test_the_operators_word_holds_until_its_date(desk: Desk) -> None:
    till, account_id = Billing(desk.store, desk.plans), desk.caller("free").account_id
    until = NOON + timedelta(days=10)
    pro = desk.plans.get("pro")
    subscriptions.set_plan(desk.store, account_id, pro, "a trial", "operator", NOON, until)
    assert checkout.terms(till, account_id, NOON).plan.id == "pro"
    assert checkout.terms(till, account_id, until).plan.id == "free"
    act = audit.entries(desk.store, account_id=account_id)[0]
    assert (act.actor, act.action, act.detail) == ("operator", "plan.set", "Pro until 2026-12-02 12:00 UTC: a trial")


def test_without_payments_nothing_can_be_bought_but_free_plans_can_be_chosen(desk: Desk) -> None:
    till, account_id = Billing(desk.store, desk.plans), desk.caller("free").account_id
    buyer = checkout.Buyer(account_id, None, "http://x/{checkout}", "http://x")
    with pytest.raises(checkout.Refused, match="takes no payments"):
        checkout.buy_credits(till, buyer, 500, NOON)
    with pytest.raises(checkout.Refused, match="takes no payments"):
        checkout.choose_plan(till, buyer, desk.plans.get("pro"), NOON)
    with pytest.raises(checkout.Refused, match="is paid from credits"):
        checkout.choose_plan(till, buyer, desk.plans.get("payg"), NOON)
    credits.grant(desk.store, account_id, 1, "a grain", "operator", NOON)
    assert checkout.choose_plan(till, buyer, desk.plans.get("payg"), NOON) is None
    assert checkout.terms(till, account_id, NOON).plan.id == "payg"
