"""Upgrading, buying credits and cancelling in a real browser, through the small Stripe's payment pages."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page

from tests.support.browser import Traffic, axe, opened, overflow
from tests.support.fake_stripe import FakeStripe
from tests.support.servers import Running, flask, start_app
from tests.support.shops import shop_settings
from tests.support.visitor import PASSWORD

EMAIL = "ada@example.com"
BILLING = "/dashboard/billing"


@pytest.fixture(scope="module")
def stripe() -> Iterator[FakeStripe]:
    with FakeStripe() as fake:
        yield fake


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, stripe: FakeStripe) -> Iterator[Running]:
    """gunicorn that takes payments, and hears of them at once."""
    running = start_app(tmp_path_factory.mktemp("shop"), "http://127.0.0.1:9", **shop_settings(stripe))
    stripe.webhook_url = f"{running.url}/webhooks/stripe"
    with running:
        flask(running.settings, "accounts", "create", EMAIL, "--password", PASSWORD, "--operator")
        yield running


@pytest.fixture(scope="module")
def key(server: Running) -> str:
    return server.key("live", "k", "--account", EMAIL)


@pytest.fixture(scope="module")
def state(chromium: Browser, server: Running) -> Any:
    """The cookies of somebody who signed in."""
    with opened(chromium) as context:
        page = context.new_page()
        page.goto(f"{server.url}/login")
        page.fill("#email", EMAIL)
        page.fill("#password", PASSWORD)
        page.click("main button[type=submit]")
        page.wait_for_url("**/dashboard")
        return context.storage_state()


@pytest.fixture
def page(chromium: Browser, state: Any) -> Iterator[Page]:
    with signed_in(chromium, state) as context:
        yield context.new_page()


def signed_in(chromium: Browser, state: Any, **more: Any) -> BrowserContext:
    context = opened(chromium, **more)
    context.add_cookies(state["cookies"])
    return context


def headers_of_a_request(server: Running, key: str) -> dict[str, str]:
    """Those of the next answer, whatever it is: no model runs here."""
    body = json.dumps({"model": "phi-3-mini", "messages": [{"role": "user", "content": "hi"}]}).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{server.url}/v1/chat/completions", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return dict(answer.headers)
    except urllib.error.HTTPError as error:
        return dict(error.headers)


def test_an_upgrade_shows_in_the_headers_of_the_next_request(page: Page, server: Running, key: str) -> None:
    before = headers_of_a_request(server, key)
    assert (before["x-ratelimit-limit-requests"], before["x-ratelimit-limit-tokens"]) == ("10", "10000")
    page.goto(server.url + BILLING)
    page.click("text=Upgrade to Pro")
    page.click("text=Go to payment")
    page.wait_for_url("**/pay/**")
    page.click("button[value=bad]")
    page.wait_for_selector("text=Your card was declined")
    assert headers_of_a_request(server, key)["x-ratelimit-limit-requests"] == "10"
    page.click("button[value=pay]")
    page.wait_for_selector("text=Your payment has arrived")
    after = headers_of_a_request(server, key)
    assert (after["x-ratelimit-limit-requests"], after["x-ratelimit-limit-tokens"]) == ("100", "550000")
    page.click("text=Back to billing")
    assert page.inner_text(".badge.accent") == "Pro plan"


def test_the_page_after_a_payment_waits_for_word_of_it(page: Page, server: Running, stripe: FakeStripe) -> None:
    stripe.webhook_url, hook = None, stripe.webhook_url
    page.goto(server.url + BILLING)
    page.fill("#amount", "10")
    page.click("text=Buy credits")
    page.click("button[value=pay]")
    page.wait_for_selector("text=Waiting for your payment")
    assert credits_shown(page, server) == "$0.00"
    page.go_back()
    stripe.webhook_url = hook
    stripe.deliver_new()
    page.wait_for_selector("text=$10.00 of credits are in your account")
    assert credits_shown(page, server) == "$10.00"


def credits_shown(page: Page, server: Running) -> str:
    page.goto(server.url + BILLING)
    return page.locator(".stat", has_text="Credits").locator(".stat-value").first.inner_text()


def test_cancelling_keeps_the_plan_until_its_period_ends_and_can_be_taken_back(page: Page, server: Running) -> None:
    page.goto(server.url + BILLING)
    page.click("text=Change to Free")
    assert "stays until then" in page.inner_text("main")
    page.click("button:has-text('Change to Free')")
    assert "Pro ends on" in seen(page, server, ".alert.warn").inner_text()
    assert page.inner_text(".badge.accent") == "Pro plan"
    page.click("text=Keep Pro")
    assert "Next payment on" in seen(page, server, ".stat-note:has-text('Next payment')").inner_text()
    assert page.locator(".alert.warn").count() == 0


def seen(page: Page, server: Running, selector: str) -> Locator:
    """What the billing page shows once the provider's message has arrived."""
    for _ in range(50):
        page.goto(server.url + BILLING)
        if page.locator(selector).count():
            break
        page.wait_for_timeout(100)
    return page.locator(selector).first


def test_cancelling_in_stripes_portal_arrives_here(page: Page, server: Running) -> None:
    page.goto(server.url + BILLING)
    page.click("text=Manage card and invoices")
    page.click("text=Cancel plan")
    page.wait_for_url(f"**{BILLING}")
    assert "Pro ends on" in seen(page, server, ".alert.warn").inner_text()


def test_everything_works_without_scripts(chromium: Browser, state: Any, server: Running) -> None:
    with signed_in(chromium, state, scripts=False) as context:
        page = context.new_page()
        page.goto(server.url + BILLING)
        page.fill("#limit", "3")
        page.click("text=Save")
        assert page.locator(".stat", has_text="Limit on credits").locator(".stat-value").inner_text() == "$3.00"
        page.fill("#amount", "5")
        page.click("text=Buy credits")
        page.click("button[value=pay]")
        if page.locator("text=Look again").count():
            page.click("text=Look again")
        page.wait_for_selector("text=$5.00 of credits are in your account")
        page.goto(f"{server.url}/admin/accounts/1")
        page.fill("#amount", "1")
        page.fill("#credit_reason", "thanks")
        page.fill("#credit_proof", PASSWORD)
        page.click("button:has-text('Give credits')")
        assert "+$1.00 of credits" in page.inner_text("main")


PAGES = (
    BILLING,
    f"{BILLING}/plan/business",
    f"{BILLING}/ledger",
    f"{BILLING}/statements",
    f"{BILLING}/statements/MONTH?receipts=1",
    f"{BILLING}/orders/ORDER",
    "/admin",
    "/admin/accounts",
    "/admin/accounts/1",
    "/admin/audit",
)


@pytest.mark.parametrize("width", [320, 1280])
def test_pages_are_accessible_light_and_ask_nobody_else(
    chromium: Browser, state: Any, server: Running, stripe: FakeStripe, width: int
) -> None:
    order = stripe.all("checkout.session")[-1]["client_reference_id"]
    month = datetime.now(UTC).strftime("%Y-%m")
    with signed_in(chromium, state, width=width) as context:
        for path in PAGES:
            page, traffic = context.new_page(), Traffic()
            traffic.follow(page)
            # Colours that fade from one theme to the other would be judged on their way.
            page.emulate_media(color_scheme="light", reduced_motion="reduce")
            page.goto(server.url + path.replace("MONTH", month).replace("ORDER", order), wait_until="networkidle")
            assert traffic.failed == []
            assert axe(page) == [], path
            page.emulate_media(color_scheme="dark")
            assert axe(page, "color-contrast", "link-in-text-block") == [], path
            for narrow in (320, 768, 1280):
                page.set_viewport_size({"width": narrow, "height": 900})
                assert overflow(page) <= 0, (path, narrow)
            assert traffic.requests <= 6
            assert traffic.bytes <= 80 * 1024
            assert traffic.hosts == {server.url.removeprefix("http://")}
            page.close()


@pytest.mark.parametrize("has_scripts", [True, False], ids=["with scripts", "without scripts"])
def test_operators_are_asked_first_and_the_owner_reads_why(
    chromium: Browser, state: Any, server: Running, has_scripts: bool
) -> None:
    email = f"bob-{has_scripts}@example.com".lower()
    flask(server.settings, "accounts", "create", email, "--password", PASSWORD)
    server.key("live", "leaked", "--account", email)
    with (
        signed_in(chromium, state, scripts=has_scripts, width=320) as operators,
        opened(chromium, scripts=has_scripts, width=320) as owners,
    ):
        page, owner = operators.new_page(), owners.new_page()
        page.goto(f"{server.url}/admin/accounts")
        page.get_by_role("link", name=email).click()
        for ask, act, reason in (
            ("Revoke leaked", "Revoke this key", "it was in a public repository"),
            ("Disable this account", "Disable this account", "unpaid since spring"),
        ):
            page.get_by_role("link", name=ask).click()
            assert overflow(page) <= 0
            if has_scripts:
                assert axe(page) == []
            page.get_by_role("button", name=act).click()
            assert "Say why" in page.get_by_role("alert").inner_text()
            if has_scripts:
                assert axe(page) == []
            page.get_by_label("Reason").fill(reason)
            page.get_by_role("button", name=act).click()
            assert reason in page.get_by_role("region", name="Audit log").inner_text()
            if ask == "Revoke leaked":
                sign_in(owner, server, email)
                owner.goto(f"{server.url}/dashboard/keys")
                shown = owner.get_by_text(reason)
                box = shown.bounding_box()
                assert box is not None
                assert box["x"] + box["width"] <= 320
        owner.goto(f"{server.url}/dashboard")
        assert owner.url.startswith(f"{server.url}/login")
        sign_in(owner, server, email)
        assert "unpaid since spring" in owner.get_by_role("alert").inner_text()


def sign_in(page: Page, server: Running, email: str) -> None:
    page.goto(f"{server.url}/login")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_a_statement_prints_without_menus(page: Page, server: Running) -> None:
    page.goto(f"{server.url}{BILLING}/statements")
    page.click(".rows a >> nth=0")
    page.emulate_media(media="print")
    for hidden in (".site-header", ".subnav", ".site-footer", ".no-print"):
        assert not page.locator(hidden).first.is_visible()
    assert page.locator("h1").is_visible()
    assert page.pdf()[:5] == b"%PDF-"
