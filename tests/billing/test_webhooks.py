"""Every kind of message from the payment provider, delivered in every way that could go wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, insert, select

from llmrack.billing import checkout, credits, webhooks
from llmrack.billing.checkout import Billing
from llmrack.clients.provider import BadSignature, ProviderAway
from llmrack.store.database import Store
from llmrack.store.tables.base import Base
from llmrack.store.tables.billing import Checkout, CreditEntry, Customer, Invoice, PaymentEvent
from llmrack.store.tables.usage import Account, Balance
from tests.support.databases import shared_postgresql
from tests.support.fake_stripe import WEBHOOK_SECRET, signed
from tests.support.stores import Desk, opened
from tests.support.tills import Counter

Step = Callable[[Counter, int], None]
NOTHING: dict[str, Any] = {"left": 0, "plan": "free", "days": None, "then": None, "invoices": 0}


def pay_credits(counter: Counter, account_id: int) -> None:
    counter.stripe.pay(counter.order_credits(account_id))


def pay_slowly(counter: Counter, account_id: int) -> None:
    counter.stripe.pay(counter.order_credits(account_id), is_slow=True)


def settle(*, succeeds: bool) -> Step:
    return lambda counter, _: counter.stripe.settle(last(counter, "checkout.session"), succeeds=succeeds)


def expire(counter: Counter, account_id: int) -> None:
    counter.stripe.expire(counter.order_credits(account_id))


def pay_plan(counter: Counter, account_id: int) -> None:
    counter.stripe.pay(counter.order_plan(account_id, "pro"))


def upgrade(counter: Counter, account_id: int) -> None:
    assert counter.order_plan(account_id, "business") is None


def cancel(counter: Counter, account_id: int) -> None:
    counter.stripe.cancel(last(counter, "subscription"))


def renew(*, is_paid: bool) -> Step:
    def step(counter: Counter, _: int) -> None:
        counter.desk.clock.forward(days=30)
        if not is_paid:
            counter.stripe.declining.add(last(counter, "customer"))
        counter.stripe.renew(last(counter, "subscription"))

    return step


def refund(counter: Counter, account_id: int) -> None:
    counter.stripe.refund(last(counter, "charge"), 200)


def dispute(counter: Counter, account_id: int) -> None:
    counter.stripe.dispute(last(counter, "charge"))


def win(counter: Counter, account_id: int) -> None:
    counter.stripe.close_dispute(last(counter, "dispute"), "won")


def last(counter: Counter, kind: str) -> str:
    return str(counter.stripe.all(kind)[-1]["id"])


# What happened and was delivered before; what happens then; what the message must lead to.
CASES: dict[str, tuple[tuple[Step, ...], Step, dict[str, Any]]] = {
    "checkout.session.completed": ((), pay_credits, {"left": 500}),
    "checkout.session.async_payment_succeeded": ((pay_slowly,), settle(succeeds=True), {"left": 500}),
    "checkout.session.async_payment_failed": ((pay_slowly,), settle(succeeds=False), {}),
    "checkout.session.expired": ((), expire, {}),
    "customer.subscription.created": ((), pay_plan, {"plan": "pro", "days": 37, "then": "free"}),
    "customer.subscription.updated": (
        (pay_plan,),
        upgrade,
        {"plan": "business", "days": 37, "then": "free", "invoices": 1},
    ),
    "customer.subscription.deleted": ((pay_plan,), cancel, {"invoices": 1}),
    "invoice.paid": ((pay_plan,), renew(is_paid=True), {"plan": "pro", "days": 37, "then": "free", "invoices": 2}),
    "invoice.payment_failed": (
        (pay_plan,),
        renew(is_paid=False),
        {"plan": "pro", "days": 7, "then": "free", "invoices": 1},
    ),
    "charge.refunded": ((pay_credits,), refund, {"left": 300}),
    "charge.dispute.created": ((pay_credits,), dispute, {}),
    "charge.dispute.closed": ((pay_credits, dispute), win, {"left": 500}),
}
KINDS = list(CASES)


class Story:
    """One case up to the message, which is not delivered yet."""

    def __init__(self, counter: Counter, kind: str) -> None:
        self.counter = counter
        before, step, effect = CASES[kind]
        self.account_id = counter.account()
        self.all: list[Any] = []
        for earlier in before:
            earlier(counter, self.account_id)
            for message in counter.new_events():
                self.all.append(message)
                counter.deliver(message)
        # The clock may move in the step itself, and an account's plan with it.
        step(counter, self.account_id)
        new = counter.new_events()
        self.all += new
        (self.message,) = [event for event in new if event["type"] == kind]
        self.before = self.state()
        self.after = NOTHING | effect

    def state(self, till: Billing | None = None) -> dict[str, Any]:
        till = till or self.counter.till
        now = self.counter.desk.clock()
        terms = checkout.terms(till, self.account_id, now)
        credits.check(till.store)
        with till.store.read() as connection:
            invoices = connection.scalar(select(func.count()).select_from(Invoice))
        return {
            "left": credits.balance(till.store, self.account_id).left_nanousd // 10**7,
            "plan": terms.plan.id,
            "days": round((terms.ends_at - now).total_seconds() / 86_400) if terms.ends_at else None,
            "then": terms.next_plan.id if terms.next_plan else None,
            "invoices": invoices,
        }

    def events_stored(self) -> int:
        with self.counter.desk.store.read() as connection:
            found = select(func.count()).where(PaymentEvent.id == self.message["id"])
            return int(connection.execute(found).scalar_one())

    def entries(self) -> int:
        with self.counter.desk.store.read() as connection:
            return int(connection.execute(select(func.count()).select_from(CreditEntry)).scalar_one())


@pytest.fixture(params=KINDS)
def story(request: pytest.FixtureRequest, counter: Counter) -> Story:
    return Story(counter, request.param)


def test_a_valid_message_has_its_effect(story: Story) -> None:
    story.counter.deliver(story.message)
    assert story.state() == story.after
    assert story.events_stored() == 1


def refuse(story: Story, body: bytes, signature: str) -> None:
    entries = story.entries()
    with pytest.raises(BadSignature):
        story.counter.till.shop.provider.event(body, signature, story.counter.desk.clock())
    assert (story.state(), story.events_stored(), story.entries()) == (story.before, 0, entries)


def test_a_tampered_message_has_none(story: Story) -> None:
    body, signature = story.counter.stripe.sign(story.message)
    refuse(story, body.replace(b'"livemode": false', b'"livemode": true'), signature)


def test_a_message_signed_with_another_secret_has_none(story: Story) -> None:
    refuse(story, *story.counter.stripe.sign(story.message, secret="whsec_other"))


def test_a_message_from_301_seconds_ago_has_none(story: Story) -> None:
    now = story.counter.desk.clock().timestamp()
    refuse(story, *story.counter.stripe.sign(story.message, at=now - 301))


def test_a_message_from_an_hour_ahead_has_none(story: Story) -> None:
    now = story.counter.desk.clock().timestamp()
    refuse(story, *story.counter.stripe.sign(story.message, at=now + 3600))


def test_five_deliveries_at_once_are_one(story: Story) -> None:
    results: list[str] = []
    gate = threading.Barrier(5)

    def deliver() -> None:
        gate.wait()
        results.append(story.counter.deliver(story.message))

    threads = [threading.Thread(target=deliver) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 5
    assert results.count("known") == 4
    assert (story.state(), story.events_stored()) == (story.after, 1)


def test_messages_in_reversed_order_lead_to_the_same(story: Story, other_store: Store) -> None:
    for message in story.all:
        story.counter.deliver(message)
    till = replace(story.counter.till, store=other_store)
    copy_orders(story.counter.desk.store, other_store)
    for message in reversed(story.all):
        webhooks.handle(till, story.counter.event(message), story.counter.desk.clock())
    assert story.state(till) == story.state()


@pytest.fixture
def other_store(desk: Desk, tmp_path: Path) -> Iterator[Store]:
    """A second installation's database."""
    is_sqlite = desk.store.dialect == "sqlite"
    with opened(f"sqlite:///{tmp_path}/other.db" if is_sqlite else shared_postgresql().create()) as store:
        Base.metadata.create_all(store.engine)
        yield store


def copy_orders(source: Store, target: Store) -> None:
    """What an installation knows before the first message: its accounts, customers and orders."""
    again = {"state": "open", "payment_id": None, "returned_cents": 0, "disputed_cents": 0, "version": 0}
    with source.read() as reading, target.write() as writing:
        for table, changes in ((Account, {"plan_id": None, "plan_ends_at": None}), (Customer, {}), (Checkout, again)):
            for row in reading.execute(select(table.__table__)).mappings():
                writing.execute(insert(table).values({**row, **changes}))
        for row in reading.execute(select(Balance.account_id)):
            writing.execute(insert(Balance).values(account_id=row.account_id))


class Crash(BaseException):
    """The process dies here."""


def test_a_crash_between_the_message_and_its_effect_leaves_neither(story: Story) -> None:
    engine: Engine = story.counter.desk.store.engine
    entries = story.entries()

    def crash(*arguments: Any) -> None:
        if arguments[2].startswith("INSERT INTO payment_events"):
            raise Crash

    event.listen(engine, "after_cursor_execute", crash)
    with pytest.raises(Crash):
        story.counter.deliver(story.message)
    event.remove(engine, "after_cursor_execute", crash)
    assert (story.state(), story.events_stored(), story.entries()) == (story.before, 0, entries)
    story.counter.deliver(story.message)
    assert (story.state(), story.events_stored()) == (story.after, 1)


@pytest.mark.parametrize("kind", ["customer.subscription.updated", "charge.dispute.closed", "charge.refunded"])
def test_two_messages_about_one_object_at_once_are_applied_one_after_the_other(counter: Counter, kind: str) -> None:
    story = Story(counter, kind)
    twin = {**story.message, "id": "evt_twin"}
    threads = [threading.Thread(target=counter.deliver, args=(message,)) for message in (story.message, twin)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert story.state() == story.after


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"amount_total": 100}, "amount"),
        ({"currency": "jpy"}, "currency"),
        ({"customer": "cus_other"}, "customer"),
        ({"mode": "setup"}, "mode"),
    ],
)
def test_a_payment_that_is_not_what_was_ordered_grants_nothing(
    counter: Counter, change: dict[str, Any], problem: str
) -> None:
    account_id = counter.account()
    session = counter.order_credits(account_id)
    counter.stripe.get(session).update(change)
    counter.stripe.pay(session)
    assert f"refused: another {problem} than ordered" in counter.deliver_all()
    assert counter.left(account_id) == 0
    counter.stripe.get(session).update(amount_total=500, currency="usd", mode="payment")
    again = {**counter.stripe.events[-1], "id": "evt_again"}
    counter.deliver(again)
    assert counter.left(account_id) == 0


def test_a_session_of_somebody_else_with_our_reference_grants_nothing(counter: Counter) -> None:
    account_id = counter.account()
    counter.order_credits(account_id)
    copied = counter.stripe.get(last(counter, "checkout.session"))
    other = counter.stripe.make("cs", "checkout.session", **{**copied, "id": "cs_other"})
    counter.stripe.objects["cs_other"] = other
    counter.stripe.pay("cs_other")
    assert "refused: another page than ordered" in counter.deliver_all()
    assert counter.left(account_id) == 0


def test_a_price_that_was_never_ours_gives_no_plan(counter: Counter) -> None:
    account_id = counter.account()
    session = counter.order_plan(account_id, "business")
    counter.stripe.get(session)["_price"] = counter.stripe.price(100)
    counter.stripe.get(session)["amount_total"] = 6500
    counter.stripe.pay(session)
    assert any("a price or an amount that we never asked for" in result for result in counter.deliver_all())
    assert counter.plan(account_id) == "free"


def test_a_message_about_a_strangers_customer_changes_nothing(counter: Counter) -> None:
    counter.account()
    customer = counter.stripe.make("cus", "customer")["id"]
    counter.stripe._subscribe(customer, counter.till.shop.prices["pro"])
    assert set(counter.deliver_all()) == {"not a customer of ours"}


def test_a_provider_that_is_away_leaves_the_message_for_later(counter: Counter) -> None:
    account_id = counter.account()
    session = counter.order_credits(account_id)
    counter.stripe.pay(session)
    hidden = counter.stripe.objects.pop(session)
    (message,) = [event for event in counter.new_events() if event["type"] == "checkout.session.completed"]
    with pytest.raises(ProviderAway):
        counter.deliver(message)
    counter.stripe.objects[session] = hidden
    counter.deliver(message)
    assert counter.left(account_id) == 500


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"id": "evt_1"}', b"\xff", b"nonsense"])
def test_a_signed_body_that_is_no_event_is_refused(counter: Counter, body: bytes) -> None:
    now = counter.desk.clock()
    with pytest.raises(BadSignature):
        counter.till.shop.provider.event(*signed(body, WEBHOOK_SECRET, int(now.timestamp())), now)


@pytest.mark.parametrize("signature", [None, "", "t=1", "v1=1", "t=x,v1=y", "t=1,v1=", "nonsense", "=,="])
def test_a_signature_that_is_none_is_refused(counter: Counter, signature: str | None) -> None:
    with pytest.raises(BadSignature):
        counter.till.shop.provider.event(json.dumps({"id": "evt_1"}).encode(), signature, counter.desk.clock())


def test_a_second_time_in_a_signature_makes_no_old_message_new(story: Story) -> None:
    now = int(story.counter.desk.clock().timestamp())
    body, signature = story.counter.stripe.sign(story.message, at=now - 86_400)
    refuse(story, body, signature)
    refuse(story, body, f"{signature},t={now}")
    refuse(story, body, f"t={now},{signature}")


@pytest.mark.parametrize("signature", ["t=1,v1=\xe9", "t=\xb2,v1=a", "t=" + "9" * 5000 + ",v1=a"])
def test_a_signature_of_strange_characters_is_refused(counter: Counter, signature: str) -> None:
    with pytest.raises(BadSignature):
        counter.till.shop.provider.event(b"{}", signature, counter.desk.clock())


def test_all_twelve_kinds_are_in_the_matrix() -> None:
    assert set(KINDS) == set(webhooks.EVENT_TYPES)
    assert len(KINDS) == 12
