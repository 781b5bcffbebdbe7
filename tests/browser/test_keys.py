"""Keys in the browser: copying, the question before closing, and what the API says a second later."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

from tests.browser.conftest import Tab, make_account
from tests.support.servers import Running


def status(site: Running, secret: str) -> int:
    body = json.dumps({"model": "phi-3-mini", "messages": [{"role": "user", "content": "hi"}]}).encode()
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{site.url}/v1/chat/completions", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as refusal:
        return refusal.code


def generate(tab: Tab, name: str) -> str:
    page = tab.open("/dashboard/keys")
    page.get_by_label("Name").fill(name)
    page.get_by_role("radio", name="Test").check()
    page.get_by_role("button", name="Generate key", exact=True).click()
    return page.locator("#secret").inner_text()


@pytest.fixture(scope="session")
def owner(site: Running) -> str:
    make_account(site, "keys@example.com")
    return "keys@example.com"


def within_a_second(site: Running, secret: str, expected: int) -> float:
    started = time.perf_counter()
    while status(site, secret) != expected:
        assert time.perf_counter() - started < 1
    return time.perf_counter() - started


@pytest.mark.parametrize("has_scripts", [True, False], ids=["with scripts", "without scripts"])
def test_pausing_rotating_and_revoking_are_seen_by_the_api_within_a_second(
    new_tab: Callable[..., Tab], site: Running, owner: str, has_scripts: bool
) -> None:
    tab = new_tab(java_script_enabled=has_scripts)
    tab.sign_in(owner)
    name = f"worker {has_scripts}"
    secret = generate(tab, name)
    page = tab.open("/dashboard/keys")
    assert status(site, secret) == 200
    page.get_by_role("button", name=f"Pause {name}").click()
    took = [within_a_second(site, secret, 401)]
    page.get_by_role("button", name=f"Resume {name}").click()
    took.append(within_a_second(site, secret, 200))
    page.get_by_role("link", name=f"Rotate {name}").click()
    page.get_by_role("button", name="Generate its successor").click()
    successor = page.locator("#secret").inner_text()
    took.append(within_a_second(site, successor, 200))
    assert status(site, secret) == 200
    tab.open("/dashboard/keys")
    page.get_by_role("link", name=f"Revoke {name}").first.click()
    page.get_by_role("button", name=f"Revoke {name}").click()
    took.append(within_a_second(site, successor, 401))
    print("seen by the API after", [f"{seconds * 1000:.0f} ms" for seconds in took])


def test_the_dialog_copies_keeps_focus_and_asks_before_it_closes(
    new_tab: Callable[..., Tab], site: Running, owner: str
) -> None:
    tab = new_tab(permissions=["clipboard-read", "clipboard-write"])
    tab.sign_in(owner)
    secret = generate(tab, "copied")
    page = tab.page
    dialog = page.get_by_role("dialog", name="Save your new key")
    page.keyboard.press("Escape")
    assert dialog.get_by_text("Have you saved the key?").is_visible()
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    dialog.get_by_role("button", name="Copy key").click()
    dialog.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == secret
    dialog.get_by_role("button", name="Copy Line for your .env file").click()
    dialog.get_by_role("button", name="Copied").nth(1).wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == f"LLMRACK_API_KEY={secret}"
    page.keyboard.press("Escape")
    assert not dialog.is_visible()


def test_going_back_does_not_show_a_secret_again(tab: Tab, site: Running, owner: str) -> None:
    tab.sign_in(owner)
    secret = generate(tab, "once")
    tab.page.get_by_role("link", name="I saved it").click()
    tab.page.wait_for_url("**/dashboard/keys")
    tab.page.go_back()
    assert secret not in tab.page.content()


def test_a_wrong_form_says_what_is_wrong_and_keeps_what_was_typed(tab: Tab, owner: str) -> None:
    page = tab.sign_in(owner)
    tab.open("/dashboard/keys")
    page.get_by_text("Expiry, limits and restrictions").click()
    page.get_by_label("Allowed addresses").fill("example.com")
    page.get_by_role("button", name="Generate key", exact=True).click()
    summary = page.get_by_role("alert")
    assert "Give the key a name" in summary.inner_text()
    assert page.get_by_label("Allowed addresses").input_value() == "example.com"
    summary.get_by_role("link", name="Name").click()
    assert page.evaluate("document.activeElement.id") == "name"
