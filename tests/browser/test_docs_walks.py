"""People at work on the pages: with a mouse, with the keyboard alone, and without scripts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import opened
from tests.support.testmode import Started


@pytest.fixture
def page(chromium: Browser, started: Started) -> Iterator[Page]:
    context = opened(chromium)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=started.server.url)
    yield context.new_page()
    context.close()


@pytest.fixture
def bare(chromium: Browser) -> Iterator[Page]:
    """A page of a browser whose scripts are off."""
    context = opened(chromium, scripts=False)
    yield context.new_page()
    context.close()


def pasted(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def tab_to(page: Page, name: str, most: int = 80) -> None:
    """Press Tab until the element of this text or label has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        label = "e => (e.getAttribute('aria-label') || e.textContent || e.name || '').trim()"
        if page.evaluate(f"({label})(document.activeElement)").startswith(name):
            return
    raise AssertionError(f"{name} cannot be reached with the Tab key")


def test_a_chosen_language_applies_everywhere_and_is_remembered(page: Page, started: Started) -> None:
    page.goto(started.server.url + "/docs/quickstart")
    page.get_by_role("tab", name="Node").first.click()
    rails = page.locator(".doc-rail .tabs")
    assert rails.count() >= 7
    for index in range(rails.count()):
        shown = rails.nth(index).locator("[data-tab]:visible")
        if rails.nth(index).locator("[data-tab=node]").count():
            expect(shown).to_have_attribute("data-tab", "node")
    page.goto(started.server.url + "/docs/api")
    expect(page.locator(".doc-rail [data-tab]:visible").first).to_have_attribute("data-tab", "node")
    page.goto(started.server.url + "/")
    expect(page.locator(".hero-code [data-tab]:visible")).to_have_attribute("data-tab", "node")
    page.goto(started.server.url + "/docs/quickstart?lang=python")
    expect(page.locator(".doc-rail [data-tab]:visible").first).to_have_attribute("data-tab", "python")
    assert page.context.cookies() == []


def test_copied_code_runs_as_it_was_copied(page: Page, started: Started) -> None:
    page.goto(started.server.url + "/docs/quickstart")
    page.locator(".doc-rail .copy:visible").first.click()
    expect(page.locator("body > [data-announce]")).to_have_text("Copied")
    code = pasted(page)
    assert code.startswith(f"curl {started.server.url}/v1/chat/completions")
    done = subprocess.run(
        ["sh", "-eu", "-c", code], env={"PATH": "/usr/bin:/bin", "LLMRACK_API_KEY": started.key}, capture_output=True
    )
    assert b"How can I help you" in done.stdout


def test_a_page_is_copied_as_markdown(page: Page, started: Started) -> None:
    page.goto(started.server.url + "/docs/limits")
    page.get_by_role("button", name="Copy page as Markdown").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert pasted(page).startswith("# Limits and metering\n")


def test_search_opens_with_a_slash_and_is_driven_by_the_keyboard(page: Page, started: Started) -> None:
    page.goto(started.server.url + "/docs/quickstart")
    page.keyboard.press("/")
    box = page.get_by_role("combobox", name="Search the documentation")
    expect(box).to_be_focused()
    page.keyboard.type("openclaw")
    expect(page.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option").nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/docs/integrations/openclaw")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("combobox")).to_be_hidden()


def test_on_this_page_marks_what_is_being_read(chromium: Browser, started: Started) -> None:
    context = opened(chromium, width=1920)
    page = context.new_page()
    page.goto(started.server.url + "/docs/quickstart#rate-limits")
    marked = page.locator(".docs-aside [aria-current=location]")
    expect(marked).to_have_text("9. Rate limits")
    page.evaluate("scrollTo(0, 0)")
    expect(marked).to_have_text("1. Get an API key")
    context.close()


def test_the_keyboard_alone_reaches_content_code_and_the_next_page(page: Page, started: Started) -> None:
    page.goto(started.server.url + "/docs/test-mode")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    tab_to(page, "cURL")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Python").first).to_be_focused()
    expect(page.get_by_role("tab", name="Python").first).to_have_attribute("aria-selected", "true")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none", "what has the focus can be seen"
    tab_to(page, "Next", most=120)
    page.keyboard.press("Enter")
    page.wait_for_url("**/docs/api")


def test_a_narrow_screen_folds_the_menu_and_closes_it_after_use(chromium: Browser, started: Started) -> None:
    context = opened(chromium, width=320)
    page = context.new_page()
    page.goto(started.server.url + "/docs/quickstart")
    page.locator(".docs-bar summary").click()
    page.locator(".docs-bar").get_by_role("link", name="Errors").click()
    page.wait_for_url("**/docs/errors")
    page.locator(".doc-contents summary").click()
    page.locator(".doc-contents").get_by_role("link", name="429 rate_limit_exceeded").click()
    assert not page.locator(".doc-contents").get_attribute("open")
    context.close()


def test_without_scripts_every_language_shows_under_its_heading(bare: Page, started: Started) -> None:
    bare.goto(started.server.url + "/docs/quickstart")
    first = bare.locator(".doc-rail").first
    assert first.locator(".tab-heading:visible").all_inner_texts() == ["cURL", "Python", "Node", "OpenAI SDK"]
    assert first.locator("pre:visible").count() == 4
    assert bare.locator("button:visible").all_inner_texts() == ["Search"]
    assert bare.get_by_role("link", name="View as Markdown").is_visible()


def test_without_scripts_search_leads_to_a_page_of_results(bare: Page, started: Started) -> None:
    bare.goto(started.server.url + "/docs/quickstart")
    bare.locator(".docs-side input[type=search]").fill("rate limits")
    bare.locator(".docs-side").get_by_role("button", name="Search").click()
    bare.wait_for_url("**/docs/search?q=rate+limits")
    bare.locator(".search-results a").first.click()
    bare.wait_for_url("**/docs/quickstart#rate-limits")


def test_without_scripts_the_demo_answers_with_a_page(bare: Page, started: Started) -> None:
    bare.goto(started.server.url + "/")
    bare.get_by_label("Ask").fill("Count from 1 to 5")
    bare.get_by_role("button", name="Send").click()
    expect(bare.locator("[data-answer]")).to_contain_text("1, 2, 3, 4, 5")
    expect(bare.locator("[data-note]")).to_contain_text("tokens in")


def test_the_demo_streams_without_a_key_and_says_that_it_is_test_mode(page: Page, started: Started) -> None:
    page.goto(started.server.url + "/")
    page.get_by_role("button", name="Haiku about SSDs.").click()
    expect(page.locator("[data-note]")).to_contain_text("First token after")
    expect(page.locator("[data-note]")).to_contain_text("test mode")
    expect(page.locator("[data-answer]")).to_contain_text("Silent cells of light")
    page.get_by_label("Ask").fill("x [test:error 429]")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("[data-answer]")).to_contain_text("rehearsed")


def test_markup_in_an_answer_of_the_demo_stays_text(page: Page, started: Started) -> None:
    page.goto(started.server.url + "/")
    page.get_by_label("Ask").fill("Say <img src=x onerror=document.title='hacked'> again")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("[data-note]")).to_contain_text("First token after")
    assert page.locator("[data-answer] img").count() == 0
    assert page.title() != "hacked"


def test_a_theme_is_kept_from_page_to_page(page: Page, started: Started) -> None:
    page.goto(started.server.url + "/docs/quickstart")
    page.get_by_text("Dark", exact=True).click()
    page.goto(started.server.url + "/pricing")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
