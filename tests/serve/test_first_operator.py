"""The link that a start prints makes the first operator: once, within an hour, and only while there is none."""

from __future__ import annotations

import re
from pathlib import Path

import requests

from tests.support.servers import Running, flask, start_app
from tests.support.visitor import PASSWORD

LINK = re.compile(r"/first-operator\?token=(\S+)")


def printed(server: Running) -> str | None:
    found = LINK.search(flask(server.settings, "prepare"))
    return found[1] if found else None


def become(server: Running, token: str, email: str) -> tuple[requests.Session, requests.Response]:
    """Open the link in a new browser and send its form."""
    browser = requests.Session()
    page = browser.get(f"{server.url}/login", timeout=10).text
    csrf = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert csrf is not None
    form = {"csrf_token": csrf[1], "token": token, "email": email, "password": PASSWORD}
    return browser, browser.post(f"{server.url}/first-operator", data=form, timeout=10)


def test_the_link_of_a_start_makes_one_operator_and_is_refused_the_second_time(tmp_path: Path) -> None:
    with start_app(tmp_path, "http://127.0.0.1:9") as server:
        token = printed(server)
        assert token is not None
        for _ in range(2):
            looked = requests.get(f"{server.url}/first-operator", params={"token": token}, timeout=10)
            assert (looked.status_code, "Set up this server" in looked.text) == (200, True)
        browser, answer = become(server, token, "root@example.com")
        assert answer.status_code == 200
        assert "You are the operator of this server" in answer.text
        assert browser.get(f"{server.url}/admin", timeout=10).status_code == 200
        assert "first key" in browser.get(f"{server.url}/dashboard/keys", timeout=10).text
        second, refused = become(server, token, "second@example.com")
        assert refused.status_code == 404
        assert "This link does not work any more" in refused.text
        assert second.get(f"{server.url}/admin", timeout=10).status_code == 404
        assert printed(server) is None
        assert token not in server.logs()


def test_a_later_start_ends_the_link_of_an_earlier_one(tmp_path: Path) -> None:
    with start_app(tmp_path, "http://127.0.0.1:9") as server:
        first, second = printed(server), printed(server)
        assert first is not None
        assert second is not None
        assert become(server, first, "root@example.com")[1].status_code == 404
        assert become(server, second, "root@example.com")[1].status_code == 200


def test_a_server_with_an_operator_prints_no_link(tmp_path: Path) -> None:
    with start_app(tmp_path, "http://127.0.0.1:9") as server:
        flask(server.settings, "accounts", "create", "root@example.com", "--password", PASSWORD, "--operator")
        assert printed(server) is None
