"""Dialogs: however one closes, the keyboard goes on where it was opened."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page

from tests.browser.conftest import Tab, make_account
from tests.support.servers import Running

EMAIL = "dialogs@example.com"


@pytest.fixture(scope="session")
def owner(site: Running) -> str:
    make_account(site, EMAIL)
    return EMAIL


def close(page: Page, dialog: Locator) -> None:
    """With Escape, as often as it takes: the dialog of a new key asks once before it closes."""
    dialog.wait_for()
    for _ in range(3):
        if dialog.is_visible():
            page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    page.wait_for_timeout(50)


def focused(page: Page) -> str:
    name: str = page.evaluate("document.activeElement.innerText.trim().replace(/\\s+/g, ' ')")
    return name


def generate(tab: Tab, name: str) -> Locator:
    page = tab.open("/dashboard/keys")
    page.get_by_label("Name").fill(name)
    page.get_by_role("radio", name="Test").check()
    page.get_by_role("button", name="Generate key", exact=True).click()
    return page.get_by_role("dialog", name="Save your new key")


def test_after_the_dialog_of_a_new_key_focus_is_where_keys_are_generated(tab: Tab, owner: str) -> None:
    page = tab.sign_in(owner)
    close(page, generate(tab, "fresh"))
    assert focused(page) == "Generate new key"
    assert page.evaluate("scrollY") == 0


def test_after_the_dialog_of_a_successor_focus_is_at_the_key_that_was_rotated(tab: Tab, owner: str) -> None:
    page = tab.sign_in(owner)
    close(page, generate(tab, "turning"))
    page.get_by_role("link", name="Rotate turning").click()
    page.get_by_role("button", name="Generate its successor").click()
    close(page, page.get_by_role("dialog", name="Save your new key"))
    assert focused(page) == "Rotate turning"
    old = page.locator("tr", has=page.locator("[id^=rotate-]:focus"))
    assert "in 24 h" in old.inner_text()


@pytest.mark.parametrize("way", ["Escape", "Close"])
def test_after_the_code_of_the_playground_focus_is_at_its_button(tab: Tab, way: str) -> None:
    page = tab.open("/playground")
    page.get_by_role("button", name="View code").click()
    dialog = page.get_by_role("dialog", name="The code for this")
    dialog.wait_for()
    if way == "Close":
        dialog.get_by_role("button", name="Close").click()
    close(page, dialog) if way == "Escape" else dialog.wait_for(state="hidden")
    assert focused(page) == "View code"


def test_after_the_search_focus_is_where_it_was_opened(new_tab: Callable[..., Tab]) -> None:
    page = new_tab(viewport={"width": 1440, "height": 900}).open("/docs/errors")
    dialog = page.get_by_role("dialog", name="Search")
    page.locator(".docs-side .docs-find").click()
    close(page, dialog)
    assert focused(page).startswith("Search")
    link = page.locator(".docs-side").get_by_role("link", name="Quickstart")
    link.focus()
    page.keyboard.press("/")
    close(page, dialog)
    assert focused(page) == "Quickstart"


def test_a_dialog_that_the_server_opens_covers_the_page_from_the_first_paint(tab: Tab, owner: str) -> None:
    page = tab.sign_in(owner)
    tab.context.route("**/assets/js/**", lambda route: route.abort())
    # Without its script it is no modal, and still stands above the page instead of pushing it down.
    generate(tab, "early").wait_for()
    assert page.locator("h1").bounding_box()["y"] < 200  # type: ignore[index]
    tab.complaints.clear()
