"""The billing pages, with payments and without, and the route that Stripe's messages come to."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update
from werkzeug.test import TestResponse

from app import create_app
from llmrack.accounts import accounts, audit
from llmrack.billing import credits, statements
from llmrack.inference.context import AppContext
from llmrack.keys import authentication
from llmrack.keys.authentication import Caller
from llmrack.metering.meter import Admission, Settlement
from llmrack.settings import BadSetting
from llmrack.store.tables.billing import Subscription
from llmrack.store.tables.usage import Account
from tests.support.fake_stripe import FakeStripe
from tests.support.servers import ROOT
from tests.support.shops import close, customer, deliver, make_app, post_event, shop, stripe
from tests.support.visitor import PASSWORD, Visitor, make_person

__all__ = ["customer", "deliver", "shop", "stripe"]

Deliver = Callable[[], list[TestResponse]]
BILLING = "/dashboard/billing"


def rack_of(app: Flask) -> AppContext:
    return app.extensions["llmrack"]


def account_id(app: Flask, email: str) -> int:
    return accounts.find(rack_of(app).store, email).id


def session_in(answer: TestResponse) -> str:
    assert answer.status_code == 303, answer.text
    return answer.location.rsplit("/", 1)[1]


def buy(visitor: Visitor, amount: str = "5") -> str:
    return session_in(visitor.post(f"{BILLING}/credits", {"amount": amount}))


def flashed(visitor: Visitor) -> str:
    return visitor.get(BILLING).text


def test_nobody_sees_billing_without_signing_in(visitor: Visitor) -> None:
    for path in ("", "/statements", "/ledger", "/orders/co_1", "/statements/2026-11.csv"):
        assert visitor.get(BILLING + path).location.startswith("/login")


def test_an_upgrade_is_paid_at_stripe_and_changes_the_limits_of_the_next_request(
    customer: Visitor, shop: Flask, stripe: FakeStripe, deliver: Deliver, email: str
) -> None:
    secret = customer.key(mode="live")

    def limit() -> str:
        headers = {"Authorization": f"Bearer {secret}"}
        return shop.test_client().get("/v1/models", headers=headers).headers["x-ratelimit-limit-tokens"]

    assert limit() == "10000"
    assert "You pay $15.00 a month" in customer.get(f"{BILLING}/plan/pro").text
    session = session_in(customer.post(f"{BILLING}/plan/pro"))
    order = stripe.get(session)["success_url"].split("/", 3)[3]
    stripe.pay(session)
    assert "Waiting for your payment" in customer.get(f"/{order}").text
    assert limit() == "10000"
    assert {answer.status_code for answer in deliver()} == {200}
    assert limit() == "550000"
    assert "Your payment has arrived" in customer.get(f"/{order}").text
    page = customer.get(BILLING).text
    assert "Pro plan" in page
    assert "Next payment on" in page


def test_upgrading_a_paid_plan_says_what_is_charged_and_asks_first(
    customer: Visitor, stripe: FakeStripe, deliver: Deliver
) -> None:
    stripe.pay(session_in(customer.post(f"{BILLING}/plan/pro")))
    deliver()
    assert "The difference for the rest of this period" in customer.get(f"{BILLING}/plan/business").text
    assert customer.post(f"{BILLING}/plan/business").location == BILLING
    deliver()
    assert "Business plan" in customer.get(BILLING).text
    assert "stays until then" in customer.get(f"{BILLING}/plan/free").text
    customer.post(f"{BILLING}/plan/free")
    deliver()
    page = customer.get(BILLING).text
    assert "Business ends on" in page
    customer.post(f"{BILLING}/keep")
    deliver()
    assert "Business ends on" not in customer.get(BILLING).text


def test_a_declined_upgrade_is_told_and_changes_nothing(
    customer: Visitor, stripe: FakeStripe, deliver: Deliver
) -> None:
    stripe.pay(session_in(customer.post(f"{BILLING}/plan/pro")))
    deliver()
    stripe.declining.add(stripe.all("customer")[-1]["id"])
    customer.post(f"{BILLING}/plan/business")
    assert "Your card was declined." in flashed(customer)
    deliver()
    assert "Pro plan" in customer.get(BILLING).text


def test_a_failed_payment_is_on_top_of_the_page_with_its_last_day(
    customer: Visitor, stripe: FakeStripe, deliver: Deliver
) -> None:
    stripe.pay(session := session_in(customer.post(f"{BILLING}/plan/pro")))
    deliver()
    stripe.declining.add(stripe.all("customer")[-1]["id"])
    stripe.renew(stripe.get(session)["subscription"])
    deliver()
    page = customer.get(BILLING).text
    assert "Your last payment failed" in page
    assert "Pro stays until" in page


def test_a_subscription_that_ended_unpaid_leaves_no_alarm_behind(
    customer: Visitor, shop: Flask, stripe: FakeStripe, deliver: Deliver, email: str
) -> None:
    stripe.pay(session := session_in(customer.post(f"{BILLING}/plan/pro")))
    deliver()
    stripe.declining.add(stripe.all("customer")[-1]["id"])
    subscription = stripe.get(session)["subscription"]
    stripe.renew(subscription)
    deliver()
    stripe.cancel(subscription, "payment_failed")
    deliver()
    page = customer.get(BILLING).text
    assert "Pro lasts until" in page
    assert "Your last payment failed" not in page
    with rack_of(shop).store.write() as connection:
        over = update(Account).where(Account.id == account_id(shop, email))
        connection.execute(over.values(plan_ends_at=datetime.now(UTC)))
    page = customer.get(BILLING).text
    assert "Free plan" in page
    assert 'role="alert"' not in page


def test_credits_are_there_once_they_are_paid(
    customer: Visitor, shop: Flask, stripe: FakeStripe, deliver: Deliver, email: str
) -> None:
    session = buy(customer, "$12.50")
    stripe.pay(session)
    assert credits.balance(rack_of(shop).store, account_id(shop, email)).left_nanousd == 0
    deliver()
    assert credits.balance(rack_of(shop).store, account_id(shop, email)).left_nanousd == 12_500_000_000
    assert "+$12.50" in customer.get(BILLING).text
    assert "bought" in customer.get(f"{BILLING}/ledger").text


@pytest.mark.parametrize("amount", ["", "4.99", "0", "-5", "5.001", "1001", "nan", "1e3", "five", "5" * 400])
def test_amounts_that_cannot_be_bought_are_explained(customer: Visitor, amount: str) -> None:
    answer = customer.post(f"{BILLING}/credits", {"amount": amount})
    assert answer.status_code == 400
    assert 'aria-invalid="true"' in answer.text


def test_an_order_belongs_to_who_made_it(
    customer: Visitor, shop: Flask, stripe: FakeStripe, another: Callable[[], Visitor]
) -> None:
    order = stripe.get(buy(customer))["client_reference_id"]
    assert customer.get(f"{BILLING}/orders/{order}/state").json == {"state": "open"}
    make_person(shop, "stranger@example.com")
    stranger = Visitor(shop, "10.250.0.1")
    stranger.sign_in("stranger@example.com")
    for path in (f"/orders/{order}", f"/orders/{order}/state"):
        assert stranger.get(BILLING + path).status_code == 404


def test_forms_may_lead_to_the_payment_page_and_nowhere_else(customer: Visitor, stripe: FakeStripe) -> None:
    policy = customer.get(BILLING).headers["Content-Security-Policy"]
    assert f"form-action 'self' {stripe.url};" in policy
    assert stripe.url not in customer.get("/dashboard").headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/plan/pro", "/keep", "/credits", "/portal", "/spending"])
def test_changes_need_the_token_of_a_form(customer: Visitor, path: str) -> None:
    assert customer.send(BILLING + path, {}).status_code == 403
    foreign = customer.post(BILLING + path, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403


def test_the_portal_is_stripes(customer: Visitor, stripe: FakeStripe) -> None:
    assert customer.post(f"{BILLING}/portal").location.startswith(f"{stripe.url}/portal/")


def test_spending_limits_are_kept_and_can_be_lifted(customer: Visitor, shop: Flask, email: str) -> None:
    secret = customer.key(mode="live")

    def caller() -> Caller:
        context = rack_of(shop)
        return authentication.resolve(context.store, context.plans, secret, datetime.now(UTC))

    customer.post(f"{BILLING}/spending", {"uses_credits": "y", "limit": "12.5"})
    assert (caller().uses_credits, caller().account_nanousd_per_month) == (True, 12_500_000_000)
    assert 'value="12.50"' in customer.get(BILLING).text
    assert customer.post(f"{BILLING}/spending", {"limit": "-1"}).status_code == 400
    customer.post(f"{BILLING}/spending", {"limit": ""})
    assert (caller().uses_credits, caller().account_nanousd_per_month) == (False, None)


def use(app: Flask, caller: Caller, number: int) -> None:
    context = rack_of(app)
    model = context.catalog.get("phi-3-mini")
    request_id = f"req_{number:032x}"
    context.meter.admit(Admission(request_id, caller, "chat", model, 10, 20, None, False))
    context.meter.settle(request_id, Settlement("completed", 10, 20))


def test_a_statement_shows_its_receipts_as_a_page_and_as_csv(customer: Visitor, shop: Flask, email: str) -> None:
    context, who, now = rack_of(shop), account_id(shop, email), datetime.now(UTC)
    caller = authentication.resolve(context.store, context.plans, customer.key(mode="live", name="=evil()"), now)
    credits.grant(context.store, who, 10**9, "welcome", "operator", now)
    for number in range(3):
        use(shop, Caller(**{**caller.__dict__, "plan": context.plans.get("payg")}), 16**8 + number)
    use(shop, caller, 16**9)
    month = now.strftime("%Y-%m")
    page = customer.get(f"{BILLING}/statements/{month}?receipts=1").text
    assert page.count("<code>req_") == 4
    assert "Granted: welcome" in page
    answer = customer.get(f"{BILLING}/statements/{month}.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    found = statements.of(context.store, who, month)
    assert sum(Decimal(row["charged_usd"]) for row in rows) * 10**9 == found.charged_nanousd == 3600
    assert sum(Decimal(row["cost_usd"]) for row in rows) * 10**9 == found.cost_nanousd == 4800
    assert {row["key_name"] for row in rows} == {"'=evil()"}
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("month", ["2999-01", "2026-13", "x", "2026-11-01", "../../etc"])
def test_a_month_that_is_none_has_no_statement(customer: Visitor, month: str) -> None:
    assert customer.get(f"{BILLING}/statements/{month}").status_code == 404


def test_deleting_an_account_ends_its_subscription(customer: Visitor, stripe: FakeStripe, deliver: Deliver) -> None:
    stripe.pay(session := session_in(customer.post(f"{BILLING}/plan/pro")))
    deliver()
    assert customer.post("/dashboard/settings/delete", {"proof": PASSWORD}).status_code == 303
    assert stripe.get(stripe.get(session)["subscription"])["cancel_at_period_end"] is True


def test_a_renewal_nobody_told_us_of_is_seen_by_the_page(
    customer: Visitor, shop: Flask, stripe: FakeStripe, deliver: Deliver, email: str
) -> None:
    stripe.pay(session := session_in(customer.post(f"{BILLING}/plan/pro")))
    deliver()
    subscription, now, day = stripe.get(session)["subscription"], datetime.now(UTC), timedelta(days=1)
    with rack_of(shop).store.write() as connection:
        past = {"period_end_at": now - 8 * day, "synced_at": now - 38 * day}
        connection.execute(update(Subscription).where(Subscription.provider_id == subscription).values(past))
        ended = update(Account).where(Account.id == account_id(shop, email)).values(plan_ends_at=now - day)
        connection.execute(ended)
    assert "Pro plan" in customer.get(BILLING).text


def test_pages_about_money_have_their_styles(customer: Visitor) -> None:
    for path in ("", "/ledger", "/statements", "/plan/pro"):
        assert "base+components+dashboard+billing" in customer.get(BILLING + path).text


def test_without_payments_the_page_says_whom_to_ask(member: Visitor, app: Flask) -> None:
    page = member.get(BILLING).text
    assert "This server takes no payments" in page
    assert "Buy credits" not in page
    for path, form in (("/plan/pro", {}), ("/credits", {"amount": "5"}), ("/portal", {}), ("/keep", {})):
        assert member.post(BILLING + path, form).status_code == 303
    assert "form-action 'self';" in member.get(BILLING).headers["Content-Security-Policy"]


def test_pay_as_you_go_cannot_be_chosen_with_nothing_to_pay_from_where_nothing_can_be_bought(
    member: Visitor, app: Flask, email: str
) -> None:
    assert "Ask the operator for credits first." in member.get(BILLING).text
    assert member.get(f"{BILLING}/plan/payg").location == BILLING
    assert "is paid from credits" in flashed(member)
    assert member.post(f"{BILLING}/plan/payg").location == BILLING
    assert "Free plan" in flashed(member)
    context = rack_of(app)
    credits.grant(context.store, account_id(app, email), 10**9, "welcome", "operator", datetime.now(UTC))
    assert "Ask the operator for credits first." not in member.get(BILLING).text
    member.post(f"{BILLING}/plan/payg")
    assert "Pay as you go plan" in member.get(BILLING).text


def test_a_plan_that_is_not_public_is_in_no_list_and_is_taken_by_nobody(tmp_path: Path) -> None:
    """An operator's plan without a monthly price; the terminal gives it all the same."""
    (tmp_path / "plans.toml").write_text(
        '[plans.staff]\nname = "Staffroom"\nfor_whom = "Us"\nrequests_per_minute = 1234\nconcurrent_requests = 10\n'
        'usd_per_month = "0"\n',
        encoding="utf-8",
    )
    app = make_app(tmp_path)
    try:
        make_person(app, "ada@example.com")
        ada = Visitor(app)
        ada.sign_in("ada@example.com")
        for path in (f"{BILLING}/plan/staff", f"{BILLING}/plan/no-such-plan"):
            assert ada.get(path).status_code == 404
            assert ada.post(path).status_code == 404
        pages = ("/", "/pricing", "/docs/quickstart", "/docs/limits", "/docs/limits.md", "/llms-full.txt", BILLING)
        for path in (*pages, "/openapi.json", "/dashboard", "/v1/models"):
            page = ada.get(path).text
            assert "Staffroom" not in page, path
            assert "1,234" not in page, path
        given = app.test_cli_runner().invoke(args=["billing", "plan", "ada@example.com", "staff", "--reason", "staff"])
        assert given.exit_code == 0, given.output
        assert "Staffroom plan" in ada.get(BILLING).text
    finally:
        close(app)


def test_without_a_secret_there_is_no_route_for_messages(app: Flask) -> None:
    assert app.test_client().post("/webhooks/stripe", data=b"{}").status_code == 404


def test_messages_are_checked_at_the_route(shop: Flask, stripe: FakeStripe) -> None:
    event = stripe.tell("checkout.session.completed", {"id": "cs_none"})
    stripe._delivered = len(stripe.events)
    now = time.time()
    assert shop.test_client().post("/webhooks/stripe", data=b"{}").status_code == 400
    for signing in ({"secret": "whsec_other"}, {"at": now - 301}, {"at": now + 3600}):
        answer = post_event(shop, stripe, event, **signing)
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_signature")
    # A session that Stripe does not know cannot be read: it is to be sent again.
    answer = post_event(shop, stripe, event)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    unknown = stripe.tell("plan.created", {"id": "plan_1"})
    stripe._delivered = len(stripe.events)
    assert post_event(shop, stripe, unknown).json == {"result": "not acted on"}
    assert shop.test_client().get("/webhooks/stripe").status_code == 405


def test_the_stripe_package_is_loaded_only_where_it_is_configured(tmp_path: Path) -> None:
    program = "import sys; from app import create_app; create_app({'instance_dir': sys.argv[1]}); " + (
        "print('stripe' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, env={"PATH": "/usr/bin"})
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"stripe_secret_key": "sk_1"}, "would take money and grant nothing"),
        ({"stripe_webhook_secret": "whsec_1"}, "without LLMRACK_STRIPE_SECRET_KEY"),
        ({"stripe_prices": "pro=price_1"}, "without LLMRACK_STRIPE_SECRET_KEY"),
        ({"stripe_prices": "pro"}, "It takes pairs"),
        ({"stripe_prices": "pro=15"}, "It takes pairs"),
        ({"stripe_prices": "free=price_1"}, "no plan with a monthly price"),
        ({"stripe_prices": "gold=price_1"}, "no plan with a monthly price"),
        ({"stripe_prices": "pro=price_1 business=price_1"}, "to two plans"),
        ({"environment": "production"}, "needs LLMRACK_PUBLIC_URL"),
    ],
)
def test_half_a_shop_does_not_start(tmp_path: Path, settings: dict[str, Any], complaint: str) -> None:
    whole = {"stripe_secret_key": "sk_1", "stripe_webhook_secret": "whsec_1"}
    is_whole = not settings.keys() & whole.keys() and "without" not in complaint
    with pytest.raises(BadSetting, match=complaint):
        create_app({"instance_dir": str(tmp_path), **(whole if is_whole else {}), **settings})


def test_credits_are_given_up_by_word_only(customer: Visitor, shop: Flask, email: str) -> None:
    context, who = rack_of(shop), account_id(shop, email)
    credits.grant(context.store, who, 5 * 10**9, "welcome", "operator", datetime.now(UTC))
    assert "$5.00 of credits are left" in customer.get("/dashboard/settings/delete").text
    assert customer.post("/dashboard/settings/delete", {"proof": PASSWORD}).status_code == 400
    credits.grant(context.store, who, 10**9, "more", "operator", datetime.now(UTC))
    for named in ("on", "5000000000", "-1", "9" * 40, "\u0665"):
        form = {"proof": PASSWORD, "gives_up_credits": named}
        assert customer.post("/dashboard/settings/delete", form).status_code == 400
    assert customer.is_signed_in()
    assert 'value="6000000000"' in customer.get("/dashboard/settings/delete").text
    form = {"proof": PASSWORD, "gives_up_credits": "6000000000"}
    assert customer.post("/dashboard/settings/delete", form).status_code == 303
    assert not customer.is_signed_in()
    entry = credits.entries(context.store, who)[0]
    assert (entry.amount_nanousd, entry.reason) == (-6 * 10**9, "Given up when the account was deleted")
    credits.check(context.store)
    (act, *_) = audit.entries(context.store, account_id=who)
    assert (act.actor, act.action, act.detail) == ("owner", "account.deleted", "6.00 USD of credits given up")


def test_an_order_that_is_open_ends_with_its_account(customer: Visitor, stripe: FakeStripe) -> None:
    session = buy(customer)
    assert customer.post("/dashboard/settings/delete", {"proof": PASSWORD}).status_code == 303
    assert stripe.get(session)["status"] == "expired"
