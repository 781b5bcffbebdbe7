"""Headless Chromium in front of real gunicorn, which mails through a server of ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from email.message import Message
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support.fake_ollama import FakeOllama
from tests.support.programs import need
from tests.support.servers import Running, flask, start_app
from tests.support.smtp import Smtp
from tests.support.testmode import Started, start
from tests.support.visitor import PASSWORD

# Nothing but the pages under test may use the network.
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions",
)  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = need("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """A server that is answered by test mode, at a pace that a Stop button can meet."""
    started = start(tmp_path_factory.mktemp("test-mode"), test_mode_pieces_per_s=200)
    with started.server:
        yield started


@pytest.fixture(scope="session")
def smtp() -> Iterator[Smtp]:
    with Smtp() as server:
        yield server


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, fake_ollama: FakeOllama, smtp: Smtp) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("site")
    with start_app(folder, fake_ollama.url, smtp_host="127.0.0.1", smtp_port=smtp.port, smtp_security="none") as server:
        yield server


class Tab:
    """One page with its own cookies, and what happened on it: errors of the console and requests."""

    def __init__(self, context: BrowserContext, site: Running) -> None:
        self.context, self.site = context, site
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def _note(self, message: Any) -> None:
        if message.type == "error" and "status of 4" not in message.text:
            self.complaints.append(message.text)

    def open(self, path: str) -> Page:
        self.page.goto(self.site.url + path)
        return self.page

    def sign_in(self, email: str, password: str = PASSWORD) -> Page:
        page = self.open("/login")
        page.get_by_label("E-mail").fill(email)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/dashboard*")
        return page


@pytest.fixture
def new_tab(chromium: Browser, site: Running) -> Iterator[Callable[..., Tab]]:
    """Makes tabs, each in a browser profile of its own; arguments are those of a Playwright context."""
    contexts: list[BrowserContext] = []
    tabs: list[Tab] = []

    def make(**options: Any) -> Tab:
        contexts.append(chromium.new_context(**options))
        tabs.append(Tab(contexts[-1], site))
        return tabs[-1]

    yield make
    for context in contexts:
        context.close()
    assert [complaint for tab in tabs for complaint in tab.complaints] == []


@pytest.fixture
def tab(new_tab: Callable[..., Tab]) -> Tab:
    return new_tab()


def make_account(site: Running, email: str) -> None:
    flask(site.settings, "accounts", "create", email, "--password", PASSWORD)


def link_of(message: Message) -> str:
    text = message.get_payload(decode=True)
    assert isinstance(text, bytes)
    found = re.search(r"https?://[^/]+(/\S+\?token=\S+)", text.decode())
    assert found is not None
    return found[1]
