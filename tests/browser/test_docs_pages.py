"""Every public page in a real browser: accessible, light, and no wider than its window."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from llmrack.docsite.facts import CONTENT
from tests.support.browser import Traffic, axe, opened, overflow
from tests.support.testmode import Started

DOCS = [
    *(f"/docs/{path.parent.name}" for path in sorted(CONTENT.glob("*/00-*.md"))),
    "/docs/integrations",
    "/docs/integrations/openclaw",
    "/docs/integrations/crewai",
    "/docs/search?q=stream",
]
TOOLS = sorted(path.stem for path in (CONTENT / "integrations").glob("*.md") if path.stem != "index")
EVERY = sorted(
    {"/", "/pricing", "/models", "/status", "/playground", *DOCS, *(f"/docs/integrations/{t}" for t in TOOLS)}
)


@pytest.mark.parametrize("path", EVERY)
def test_axe_finds_nothing_in_either_theme_wide_or_narrow(chromium: Browser, started: Started, path: str) -> None:
    context = opened(chromium)
    page = context.new_page()
    page.goto(started.server.url + path)
    found = []
    for width in (320, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        # Colours that fade from one theme to the other would be judged on their way.
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        found += axe(page)
        page.emulate_media(color_scheme="dark")
        # Only colours differ between the themes.
        found += axe(page, "color-contrast", "link-in-text-block")
    context.close()
    assert found == []


def test_no_page_scrolls_sideways(chromium: Browser, started: Started) -> None:
    context = opened(chromium)
    page = context.new_page()
    wide = {}
    for path in EVERY:
        page.goto(started.server.url + path)
        for width in (320, 768, 1280, 1920):
            page.set_viewport_size({"width": width, "height": 900})
            if overflow(page):
                wide[path, width] = overflow(page)
    context.close()
    assert wide == {}


@pytest.mark.parametrize(("path", "kilobytes", "requests"), [
    *((path, 100, 6) for path in DOCS),
    ("/", 100, 6),
    ("/pricing", 100, 6),
    ("/models", 100, 6),
    ("/playground", 120, 8),
])  # fmt: skip
def test_a_page_is_light_and_asks_no_other_host(
    chromium: Browser, started: Started, path: str, kilobytes: int, requests: int
) -> None:
    context = opened(chromium)
    page = context.new_page()
    traffic = Traffic()
    traffic.follow(page)
    page.goto(started.server.url + path, wait_until="networkidle")
    context.close()
    print(f"{path}: {traffic.bytes} bytes, {traffic.requests} requests")
    assert traffic.failed == []
    assert traffic.bytes <= kilobytes * 1000
    assert traffic.requests <= requests
    assert traffic.hosts == {started.server.url.removeprefix("http://")}


def columns(page: object) -> list[int]:
    """Where menu, text and rail of the first section with a rail begin, in pixels; 0 for what is not shown."""
    return page.evaluate(  # type: ignore[attr-defined,no-any-return]
        """() => [".docs-side", ".has-rail .doc-text", ".has-rail .doc-rail"].map((selector) => {
            const box = document.querySelector(selector).getBoundingClientRect();
            return box.width ? Math.round(box.left) : 0;
        })"""
    )


def test_the_quickstart_has_three_columns_on_wide_screens_and_one_on_narrow_ones(
    chromium: Browser, started: Started
) -> None:
    seen = {}
    for width in (320, 768, 1280, 1920):
        context = opened(chromium, width=width)
        page = context.new_page()
        page.goto(started.server.url + "/docs/quickstart")
        seen[width] = columns(page)
        context.close()
    for width in (1280, 1920):
        menu, text, rail = seen[width]
        assert menu < text < rail
        assert rail - text >= 400
    for width in (320, 768):
        menu, text, rail = seen[width]
        assert menu == 0
        assert text == rail, "the rail is folded under its text"


def test_nothing_on_the_quickstart_moves_after_it_is_shown(chromium: Browser, started: Started, tmp_path: Path) -> None:
    context = opened(chromium)
    context.add_init_script(
        "window.shift = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries()) "
        "if (!entry.hadRecentInput) window.shift += entry.value; }).observe({type: 'layout-shift', buffered: true})"
    )
    page = context.new_page()
    page.goto(started.server.url + "/docs/quickstart", wait_until="networkidle")
    page.wait_for_timeout(300)
    shift = float(page.evaluate("window.shift"))
    context.close()
    print(f"cumulative layout shift of the quickstart: {shift:.4f}")
    assert shift < 0.05
