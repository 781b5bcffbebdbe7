"""What tests look at in a page: every request of it, its accessibility, its width."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, BrowserContext, Page, Response

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_AXE_OPTIONS = {"runOnly": {"type": "tag", "values": WCAG}, "rules": {"target-size": {"enabled": True}}}


@dataclass
class Traffic:
    """What one page fetched: bytes as they went over the wire, headers included, and the hosts that were asked."""

    requests: int = 0
    bytes: int = 0
    hosts: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)

    def follow(self, page: Page) -> None:
        page.on("response", self._note)
        page.on("pageerror", lambda error: self.failed.append(str(error)))
        page.on("console", lambda line: self.failed.append(line.text) if line.type == "error" else None)

    def _note(self, response: Response) -> None:
        if response.url.startswith("data:"):
            return
        self.requests += 1
        self.hosts.add(urlsplit(response.url).netloc)
        if response.status >= 400:
            self.failed.append(f"{response.status} {response.url}")
        sizes = response.request.sizes()
        self.bytes += sizes["responseBodySize"] + sizes["responseHeadersSize"]


def opened(browser: Browser, *, width: int = 1280, theme: Any = "light", scripts: bool = True) -> BrowserContext:
    height = 900 if width >= 600 else 700
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, java_script_enabled=scripts
    )
    context.set_default_timeout(10_000)
    return context


def axe(page: Page, *rules: str) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA and its best practices, or by `rules` alone: one line per element."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8") + "; undefined")
    options = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else _AXE_OPTIONS
    found = page.evaluate("options => axe.run(document, options)", options)
    return [f"{rule['id']}: {node['html'][:160]}" for rule in found["violations"] for node in rule["nodes"]]


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
