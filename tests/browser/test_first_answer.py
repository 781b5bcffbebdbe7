"""From nothing to the first streamed answer, as a newcomer walks it."""

import re
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.browser.conftest import Tab, link_of
from tests.support.servers import Running
from tests.support.smtp import Smtp
from tests.support.visitor import PASSWORD


@pytest.mark.parametrize("has_scripts", [True, False], ids=["with scripts", "without scripts"])
def test_signing_up_to_the_first_streamed_answer_takes_five_pages(
    new_tab: Callable[..., Tab], site: Running, smtp: Smtp, has_scripts: bool
) -> None:
    tab = new_tab(java_script_enabled=has_scripts)
    email, started = f"newcomer-{has_scripts}@example.com".lower(), time.perf_counter()
    shown = []
    page = tab.open("/signup")
    shown.append(page.title())
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.get_by_role("heading", name="Check your mail").wait_for()
    shown.append(page.title())
    tab.open(link_of(smtp.wait(email)))
    shown.append(page.title())
    page.get_by_role("button", name="Confirm address").click()
    page.get_by_role("heading", name="API keys").wait_for()
    shown.append(page.title())
    page.get_by_label("Name").fill("laptop")
    page.get_by_role("button", name="Generate key", exact=True).click()
    page.get_by_role("heading", name="Save your new key").wait_for()
    shown.append(page.title())
    command = page.locator("#example").inner_text()
    secret = page.locator("#secret").inner_text()
    assert re.fullmatch(r"rl_live_\w{49}", secret)
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=20)
    assert done.stdout.rstrip().endswith("data: [DONE]"), done.stdout + done.stderr
    print(f"{len(shown)} pages, {time.perf_counter() - started:.1f} s: {shown}")
    assert len(shown) <= 5
    page.get_by_role("link", name="I saved it").click()
    page.get_by_role("heading", name="API keys").wait_for()
    assert secret not in page.content()
    tab.open("/dashboard")
    assert "Your first request is" not in page.content()
