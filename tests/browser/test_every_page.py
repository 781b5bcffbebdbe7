"""Every page: accessible in both themes and two widths, light, without scripts, and by keyboard alone."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from app import create_app
from llmrack.accounts import people
from llmrack.keys import authentication, keys
from llmrack.keys.keys import Restrictions
from llmrack.metering.meter import Admission, Meter, Settlement
from llmrack.metering.refusals import Refused
from llmrack.store.tables.base import microseconds
from tests.browser.conftest import PASSWORD, Tab, make_account
from tests.support.servers import Running

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# target-size is off by default, although it belongs to WCAG 2.2 AA.
AXE = {"runOnly": {"type": "tag", "values": TAGS}, "rules": {"target-size": {"enabled": True}}}
EMAIL = "pages@example.com"
RECEIPT = "req_" + "0" * 32
PUBLIC = ("/login", "/signup", "/signup/sent", "/reset", "/reset/sent", "/reset/new?token=x", "/verify?token=x",
          "/confirm-email?token=x", "/first-operator?token=x", "/invites/x", "/no/such/page")  # fmt: skip
PRIVATE = ("/dashboard", "/dashboard/keys", "/dashboard/keys/{key}", "/dashboard/keys/{key}/revoke",
           "/dashboard/keys/{key}/rotate", "/dashboard/usage", "/dashboard/usage?range=24h&measure=cost&group=key",
           "/dashboard/usage?range=custom&measure=requests", "/dashboard/usage/requests",
           "/dashboard/usage/requests?show=errors",
           f"/dashboard/usage/requests/{RECEIPT}", "/dashboard/settings", "/dashboard/settings/second-factor",
           "/dashboard/settings/delete", "/dashboard/teams")  # fmt: skip
REFUSED = [(400, "unsupported_value", "n"), (429, "requests_per_minute", None), (401, "key_paused", None),
           (400, "invalid_type", "messages[12].tool_calls[3].function.arguments")]  # fmt: skip
# One key is in a loop, so that the page says how many are not listed.
REFUSED += [(429, "tokens_per_day", None)] * 100


@pytest.fixture(scope="session")
def key_id(site: Running) -> int:
    """An account with keys of all kinds and a month of usage, in the database that the server reads."""
    make_account(site, EMAIL)
    app = create_app({name.removeprefix("LLMRACK_").lower(): value for name, value in site.settings.items()
                      if name in ("LLMRACK_DATABASE_URL", "LLMRACK_INSTANCE_DIR")})  # fmt: skip
    context = app.extensions["llmrack"]
    person = people.find(context.store, EMAIL)
    assert person is not None
    now, dice = datetime.now(UTC), random.Random(1)

    def make(name: str, mode: str = "live", **own: object) -> keys.Issued:
        return keys.issue(
            context.store, person.account_id, now - timedelta(days=40), name=name, mode=mode, permissions=("all",),
            expires_at=now + timedelta(days=9), actor="tests", restrictions=Restrictions(**own),  # type: ignore[arg-type]
        )  # fmt: skip

    first = make("laptop")
    make("first tries", "test")
    make("production", models=("phi-3-mini",), tokens_per_day=10, nanousd_per_month=10**9, addresses=("10.0.0.0/8",))
    keys.pause(context.store, person.account_id, make("paused").key.id, now)
    keys.revoke(context.store, person.account_id, make("revoked").key.id, now, actor="tests")
    clock = [now]
    meter = Meter(context.store, clock=lambda: clock[0], owner="test")
    for number in range(60):
        clock[0] = now - timedelta(hours=number * 11, minutes=1)
        caller = authentication.resolve(context.store, context.plans, first.secret, clock[0])
        model = dice.choice(list(context.catalog))
        request_id = f"req_{number:032x}"
        meter.admit(Admission(request_id, caller, "chat", model, 100, 50, None, True))
        outcome = dice.choice(("completed", "completed", "client_gone"))
        meter.settle(request_id, Settlement(outcome, 100, dice.randint(1, 50), total_ns=10**9))
    for number, (status, code, param) in enumerate(REFUSED):
        context.refusals.note(
            Refused(f"req_{number + 100:032x}", person.account_id, first.key.id, "live", "POST /v1/chat/completions",
                    status, code, param, microseconds(now - timedelta(seconds=number))),
        )  # fmt: skip
    context.refusals.flush(context.store)
    context.store.engine.dispose()
    return first.key.id


@pytest.fixture(scope="session")
def cookies(chromium, site: Running, key_id: int):  # type: ignore[no-untyped-def]
    """Of a browser that is signed in."""
    window = chromium.new_context()
    Tab(window, site).sign_in(EMAIL)
    state = window.storage_state()
    window.close()
    return state


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options=AXE).response["violations"]
    return [f"{rule['id']}: {node['html'][:160]}" for rule in found for node in rule["nodes"]]


def looks(theme: str, width: int, cookies: object = None) -> dict[str, object]:
    return {"color_scheme": theme, "viewport": {"width": width, "height": 800}, "storage_state": cookies}


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(
    new_tab: Callable[..., Tab], key_id: int, cookies: object, theme: str, width: int
) -> None:
    found, checked = {}, 0
    for paths, state in ((PUBLIC, None), (PRIVATE, cookies)):
        tab = new_tab(**looks(theme, width, state))
        for path in paths:
            page = tab.open(path.format(key=key_id))
            checked += 1
            if rows := violations(page):
                found[path] = rows
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert page.locator("h1").count() == 1, path
    print(f"axe: {checked} pages, {theme}, {width} px, {sum(map(len, found.values()))} violations")
    assert found == {}


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_what_forms_answer(
    new_tab: Callable[..., Tab], cookies: object, key_id: int, theme: str, width: int
) -> None:
    """The reveal dialog, forms with errors, the second factor's code."""
    tab = new_tab(**looks(theme, width, cookies))
    page = tab.open("/dashboard/keys")
    page.get_by_role("button", name="Generate key", exact=True).click()
    page.get_by_role("alert").wait_for()
    assert violations(page) == []
    page.get_by_label("Name").fill("new")
    page.get_by_role("radio", name="Test").check()
    page.get_by_role("button", name="Generate key", exact=True).click()
    page.get_by_role("heading", name="Save your new key").wait_for()
    assert violations(page) == []
    tab.open("/dashboard/settings/second-factor")
    if page.get_by_role("button", name="Start").count():
        page.get_by_role("button", name="Start").click()
        page.get_by_role("alert").wait_for()
        assert violations(page) == []
        page.get_by_label("Your password").fill(PASSWORD)
        page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Switch on").click()
    page.get_by_role("alert").wait_for()
    assert violations(page) == []
    tab.open("/dashboard/settings")
    page.get_by_role("button", name="Change password").click()
    page.get_by_role("alert").wait_for()
    assert violations(page) == []
    stranger = new_tab(**looks(theme, width))
    page = stranger.open("/login")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()
    assert violations(page) == []


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/keys", "/dashboard/usage", "/dashboard/settings", "/login"])
def test_pages_are_light(new_tab: Callable[..., Tab], cookies: object, key_id: int, site: Running, path: str) -> None:
    """At most 80 KB and 6 requests with an empty cache, and nothing from anywhere else."""
    tab = new_tab(storage_state=cookies if path != "/login" else None)
    weights: list[int] = []
    tab.page.on("requestfinished", lambda request: weights.append(sum(request.sizes()[part] for part in
                ("responseBodySize", "responseHeadersSize"))))  # fmt: skip
    tab.open(path)
    tab.page.wait_for_load_state("networkidle")
    urls = [url for url in tab.requests if not url.startswith("data:")]
    print(f"{path}: {sum(weights) / 1000:.1f} kB, {len(urls)} requests")
    assert all(url.startswith(site.url) for url in urls)
    assert len(urls) <= 6
    assert sum(weights) <= 80_000


def test_every_page_says_the_same_without_scripts(new_tab: Callable[..., Tab], cookies: object, key_id: int) -> None:
    with_scripts = new_tab(storage_state=cookies)
    without = new_tab(storage_state=cookies, java_script_enabled=False)
    for path in PRIVATE:
        address = path.format(key=key_id)
        texts = [tab.open(address).locator("main").inner_text() for tab in (with_scripts, without)]
        # Between the two pages time goes on.
        first, second = (re.sub(r"just now|\d+ (seconds?|min|h|days?)( ago)?", "TIME", text) for text in texts)
        assert first.replace("Copy\n", "").split() == second.split(), path


def press_to(page: Page, role: str, name: str, limit: int = 60) -> None:
    """Press Tab until the element of this role and name has the focus, which must show."""
    target = page.get_by_role(role, name=name, exact=True).first  # type: ignore[arg-type]
    for _ in range(limit):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            style = "getComputedStyle(document.activeElement)"
            assert page.evaluate(f"{style}.outlineStyle !== 'none' || {style}.boxShadow !== 'none'"), (
                f"{name}: no focus ring"
            )
            return
    raise AssertionError(f"{role} {name} cannot be reached by Tab")


def test_a_key_is_made_copied_and_revoked_by_keyboard_alone(tab: Tab, key_id: int) -> None:
    page = tab.open("/login")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    press_to(page, "textbox", "E-mail")
    page.keyboard.type(EMAIL)
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse battery staple")
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboard")
    press_to(page, "link", "API keys")
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboard/keys")
    press_to(page, "textbox", "Name")
    page.keyboard.type("by keyboard")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    press_to(page, "button", "Generate key")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Save your new key").wait_for()
    assert page.locator("#secret").inner_text().startswith("rl_test_")
    press_to(page, "button", "Copy key")
    page.keyboard.press("Enter")
    press_to(page, "link", "I saved it")
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboard/keys")
    press_to(page, "link", "Revoke by keyboard")
    page.keyboard.press("Enter")
    press_to(page, "button", "Revoke by keyboard")
    page.keyboard.press("Enter")
    page.get_by_text("The key by keyboard was revoked.").wait_for()
    press_to(page, "button", "Sign out")
    page.keyboard.press("Enter")
    page.wait_for_url("**/login")


def test_a_chosen_theme_stays_and_paints_at_once(new_tab: Callable[..., Tab]) -> None:
    tab = new_tab(color_scheme="light")
    page = tab.open("/login")
    page.get_by_text("Dark", exact=True).click()
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    tab.open("/signup")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == paper
    page.get_by_text("System", exact=True).click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
