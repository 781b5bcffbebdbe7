"""Nothing on a public page moves after its first paint: scripts only bring to life what has its place already."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.browser.conftest import Tab, make_account
from tests.support.servers import Running

PAGES = ("/", "/models", "/pricing", "/playground", "/status", "/login", "/signup", "/reset", "/no/such/page")
# Longer than a first paint takes, so that a script that moves something is seen to do it.
SCRIPT_DELAY_S = 0.25
MOST = 0.01

SHIFTS = """
    window.shifts = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        if (entry.hadRecentInput) continue;
        const moved = entry.sources.map(({ node, previousRect: a, currentRect: b }) => {
          const what = node && (node.nodeType === 1 ? node : node.parentElement);
          const name = what ? `${what.tagName}.${what.className || what.id}` : "gone";
          return `${name} ${a.x},${a.y} ${a.width}x${a.height} -> ${b.x},${b.y} ${b.width}x${b.height}`;
        });
        window.shifts.push({ value: entry.value, moved });
      }
    }).observe({ type: "layout-shift", buffered: true });
"""


def later(route: Route) -> None:
    time.sleep(SCRIPT_DELAY_S)
    route.continue_()


@pytest.fixture(scope="module")
def paths(chromium: Browser, site: Running) -> list[str]:
    """Every public page; those of the documentation as its menu lists them."""
    page = chromium.new_page()
    page.goto(site.url + "/docs/quickstart")
    docs = page.evaluate("Array.from(document.querySelectorAll('.docs-side .docs-nav a'), (link) => link.pathname)")
    page.context.close()
    assert len(docs) > 5
    return [*PAGES, *docs, "/docs/search?q=stream"]


def shifts(page: Page, url: str) -> list[dict[str, Any]]:
    page.goto(url, wait_until="load")
    # Two frames after the last script, so that what it moved is drawn.
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait_for_timeout(60)
    found: list[dict[str, Any]] = page.evaluate("window.shifts")
    return found


@pytest.fixture
def wide(new_tab: Callable[..., Tab]) -> Iterator[Callable[[int], Tab]]:
    def make(width: int) -> Tab:
        tab = new_tab(viewport={"width": width, "height": 900 if width > 600 else 700})
        tab.context.add_init_script(SHIFTS)
        tab.context.route("**/assets/js/**", later)
        return tab

    return make


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_no_public_page_moves_when_its_scripts_arrive(wide: Callable[[int], Tab], paths: list[str], width: int) -> None:
    tab, moved = wide(width), {}
    # Every page on a phone and on a desk; between them, and below, those of each kind.
    paths = paths if width in (390, 1440) else paths[: len(PAGES) + 3]
    for path in paths:
        found = shifts(tab.page, tab.site.url + path)
        if sum(shift["value"] for shift in found) >= MOST:
            moved[path] = found
    print(f"layout shift: {len(paths)} pages at {width} px, {len(moved)} move", *summed(moved), sep="\n  ")
    assert moved == {}


def summed(moved: dict[str, list[dict[str, Any]]]) -> list[str]:
    return [f"{sum(shift['value'] for shift in found):.3f} {path}" for path, found in moved.items()]


@pytest.mark.parametrize("width", [390, 1440])
def test_a_language_that_was_chosen_before_shows_from_the_first_paint(wide: Callable[[int], Tab], width: int) -> None:
    tab = wide(width)
    tab.context.add_init_script("localStorage.setItem('llmrack-tab-lang', 'sdk')")
    for path in ("/", "/docs/quickstart"):
        found = shifts(tab.page, tab.site.url + path)
        assert sum(shift["value"] for shift in found) < MOST, (path, found)
        assert tab.page.locator("[data-tabs=lang] > [data-tab=sdk]").first.is_visible()
        assert not tab.page.locator("[data-tabs=lang] > [data-tab=curl]").first.is_visible()


@pytest.mark.parametrize("width", [390, 1440])
def test_pages_do_not_move_either_for_who_is_signed_in(wide: Callable[[int], Tab], site: Running, width: int) -> None:
    email = f"shift-{width}@example.com"
    make_account(site, email)
    tab, moved = wide(width), {}
    page = tab.sign_in(email)
    tab.open("/dashboard/keys")
    page.get_by_label("Name").fill("for the playground")
    page.get_by_role("button", name="Generate key", exact=True).click()
    page.locator("#secret").wait_for()
    for path in ("/", "/models", "/pricing", "/playground", "/docs/quickstart", "/dashboard", "/dashboard/keys"):
        found = shifts(page, site.url + path)
        if sum(shift["value"] for shift in found) >= MOST:
            moved[path] = found
    assert moved == {}
