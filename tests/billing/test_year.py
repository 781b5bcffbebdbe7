"""A year of fifty accounts that subscribe, change, fail to pay, buy and use: every month, every sum is the same."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from llmrack.billing import checkout, credits, statements
from llmrack.clients.provider import PaymentFailed
from llmrack.errors import ApiError
from llmrack.keys import authentication
from llmrack.metering.meter import Settlement
from tests.billing.test_statements import assert_equal_everywhere
from tests.support import made
from tests.support.tills import Counter

DAYS = 365
# All fifty on SQLite; on PostgreSQL, where each transaction waits for the disk, enough to meet every case.
ACCOUNTS = {"sqlite": 50, "postgresql": 12}


class Year:
    """The accounts and what they do from day to day. Some pay for what they use, some fail to."""

    def __init__(self, counter: Counter) -> None:
        self.counter, self.desk, self.dice = counter, counter.desk, random.Random(2026)
        self.desk.clock.now = datetime(2026, 1, 1, 23, 50, tzinfo=UTC)
        self.secrets: dict[int, str] = {}
        for number in range(ACCOUNTS[self.desk.store.dialect]):
            account_id = counter.account(f"account-{number}")
            issued = made.key(self.desk.store, name="k", mode="live", account_id=account_id, now=self.desk.clock())
            self.secrets[account_id] = issued.secret
            chosen = self.dice.random() < 0.3
            checkout.set_spending(self.desk.store, account_id, uses_credits=chosen, nanousd_per_month=None)
        self.seen: dict[str, int] = {}

    def day(self) -> None:
        for account_id in self.secrets:
            if self.dice.random() < 0.03:
                self._do_business(account_id)
            if self.dice.random() < 0.1:
                for _ in range(self.dice.choice([1, 3])):
                    self._use(account_id)
        self.desk.clock.forward(days=1)
        self._renew()
        self.counter.deliver_all()

    def _do_business(self, account_id: int) -> None:
        what = self.dice.choice(["pro", "business", "free", "payg", "credits", "refund", "card"])
        self.seen[what] = self.seen.get(what, 0) + 1
        try:
            if what == "credits":
                self.counter.stripe.pay(self.counter.order_credits(account_id, self.dice.choice([500, 1000])))
            elif what == "refund":
                self._refund()
            elif what == "card":
                self._toggle_card()
            elif session := self.counter.order_plan(account_id, what):
                self.counter.stripe.pay(session)
        except (checkout.Refused, PaymentFailed):
            self.seen["refused"] = self.seen.get("refused", 0) + 1
        except Exception as error:
            # The page that hosts the payment shows a declined card; nothing reaches us.
            if type(error).__name__ != "Declined":
                raise
        # Deliveries come late, and in any order.
        events = self.counter.new_events()
        self.dice.shuffle(events)
        for event in events:
            for _ in range(self.dice.choice([1, 1, 2])):
                self.counter.deliver(event)

    def _refund(self) -> None:
        charges = [charge for charge in self.counter.stripe.all("charge") if not charge["refunded"]]
        if charges:
            charge = self.dice.choice(charges)
            self.counter.stripe.refund(charge["id"], charge["amount"] - charge["amount_refunded"])

    def _toggle_card(self) -> None:
        customers = self.counter.stripe.all("customer")
        if customers:
            self.counter.stripe.declining ^= {self.dice.choice(customers)["id"]}

    def _use(self, account_id: int) -> None:
        """A request just before midnight UTC that may end after it."""
        caller = authentication.resolve(self.desk.store, self.desk.plans, self.secrets[account_id], self.desk.clock())
        prompt, answer = self.dice.randrange(1, 6000), self.dice.randrange(1, 6000)
        try:
            request_id = self.desk.admit(caller, prompt, answer)
        except ApiError as error:
            self.seen[str(error.status)] = self.seen.get(str(error.status), 0) + 1
            return
        before, is_late = self.desk.clock.now, self.dice.random() < 0.5
        if is_late:
            self.desk.clock.forward(minutes=20)
        self.desk.meter.settle(request_id, Settlement("completed", prompt, self.dice.randrange(answer + 1)))
        self.desk.clock.now = before

    def _renew(self) -> None:
        now = self.desk.clock().timestamp()
        for row in self.counter.stripe.all("subscription"):
            if row["status"] == "canceled":
                continue
            if row["items"]["data"][0]["current_period_end"] <= now:
                self.counter.stripe.renew(row["id"])
            elif row["status"] == "past_due" and self.dice.random() < 0.2:
                self._retry_or_give_up(row)

    def _retry_or_give_up(self, row: dict[str, Any]) -> None:
        if self.dice.random() < 0.3:
            self.counter.stripe.cancel(row["id"], "payment_failed")
        else:
            self.counter.stripe.collect(row["id"])


@pytest.mark.timeout(300)
def test_ledger_receipts_and_statements_are_equal_in_every_month_of_a_year(counter: Counter) -> None:
    year, checked, worth = Year(counter), 0, 0
    month = counter.desk.clock().strftime("%Y-%m")
    for _ in range(DAYS):
        year.day()
        now = counter.desk.clock().strftime("%Y-%m")
        if now != month:
            for account_id in year.secrets:
                worth += assert_equal_everywhere(counter.desk, account_id, month)
                checked += 1
            counter.desk.check_sums()
            assert credits.check(counter.desk.store) == len(year.secrets)
            month = now
    assert checked == 12 * len(year.secrets)
    assert worth > 0
    # The year had everything in it.
    assert {"pro", "business", "free", "payg", "credits", "refund", "card", "402", "429"} <= year.seen.keys()
    closings = {
        account: statements.of(counter.desk.store, account, "2026-12").closing_nanousd for account in year.secrets
    }
    for account_id, closing in closings.items():
        entries = credits.entries(counter.desk.store, account_id, limit=10**9)
        assert closing == sum(row.amount_nanousd for row in entries if row.day <= "2026-12-31")
