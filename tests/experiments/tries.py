"""Passwords, codes and sign-ups tried at the same moment: as many are looked at as the rules say, and not one more."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime

import requests
from sqlalchemy import update

from llmrack.accounts import people, throttle
from llmrack.store.tables.accounts import Login
from tests.support.together import together
from tests.support.visitor import PASSWORD

from .rig import Bench, Figures

TIMEOUT_S = 60.0


def at_once(rig: Bench) -> Figures:
    """80 wrong passwords of one account, 100 wrong codes of one half-done sign-in, 60 sign-ups from one address."""
    passwords = _passwords(rig, 80)
    codes = _codes(rig, 100)
    sign_ups = _sign_ups(rig, 60)
    assert passwords == {400: throttle.LOGIN_ACCOUNT.tries, 429: 80 - throttle.LOGIN_ACCOUNT.tries}
    assert codes == {400: throttle.SECOND_FACTOR.tries, 429: 100 - throttle.SECOND_FACTOR.tries}
    assert sign_ups == {303: throttle.SIGNUP_ADDRESS.tries, 429: 60 - throttle.SIGNUP_ADDRESS.tries}
    return {"passwords looked at of 80": passwords[400], "codes of 100": codes[400], "sign-ups of 60": sign_ups[303]}


class _Browser:
    """Cookies and a form's token, which as many connections as wanted send at once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.headers["Accept"] = "text/html"
        self._session.trust_env = False

    def open(self, path: str) -> None:
        page = self._session.get(f"{self._url}{path}", timeout=TIMEOUT_S).text
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found is not None, page
        self._token = found[1]

    def post(self, path: str, **form: str) -> int:
        """The status of one answer; the cookies stay as they are."""
        answer = requests.post(
            f"{self._url}{path}",
            {**form, "csrf_token": self._token},
            cookies=self._session.cookies.get_dict(),
            headers={"Accept": "text/html", "Connection": "close"},
            allow_redirects=False,
            timeout=TIMEOUT_S,
        )
        if answer.cookies:
            self.cookies_given = answer.cookies.get_dict()
        return answer.status_code

    def keep(self) -> None:
        """Take the cookies of the last answer."""
        self._session.cookies.update(self.cookies_given)


def _person(rig: Bench, name: str) -> str:
    email = f"{rig.account}-{name}@example.com"
    assert people.sign_up(rig.store, email, PASSWORD, datetime.now(UTC), is_verified=True) is not None
    return email


def _passwords(rig: Bench, count: int) -> dict[int, int]:
    email, browser = _person(rig, "passwords"), _Browser(rig.server.url)
    browser.open("/login")
    return Counter(together(count, lambda n: browser.post("/login", email=email, password=f"wrong password {n}")))


def _codes(rig: Bench, count: int) -> dict[int, int]:
    email, browser = _person(rig, "codes"), _Browser(rig.server.url)
    person = people.find(rig.store, email)
    assert person is not None
    with rig.store.write() as connection:
        login = update(Login).where(Login.account_id == person.account_id)
        connection.execute(login.values(totp_nonce="0" * 32, totp_confirmed_at=datetime.now(UTC)))
    browser.open("/login")
    assert browser.post("/login", email=email, password=PASSWORD) == 303
    browser.keep()
    browser.open("/login/code")
    return Counter(together(count, lambda n: browser.post("/login/code", code=f"wrong {n:04}")))


def _sign_ups(rig: Bench, count: int) -> dict[int, int]:
    browser = _Browser(rig.server.url)
    browser.open("/signup")

    def sign_up(number: int) -> int:
        return browser.post("/signup", email=f"{rig.account}-{number}@example.com", password=PASSWORD)

    return Counter(together(count, sign_up))
