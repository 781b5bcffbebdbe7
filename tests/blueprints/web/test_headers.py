"""Every page tells browsers what they must not do with it; the API is called from any site and says so."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.support.visitor import Visitor

PAGES = {
    "Content-Security-Policy": "default-src 'none';",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=()",
}


@pytest.mark.parametrize(
    "path",
    ["/", "/docs/quickstart", "/pricing", "/login", "/dashboard/billing", "/static/css/base.css", "/no-such-page"],
)
def test_a_page_forbids_what_it_does_not_need(member: Visitor, path: str) -> None:
    with member.get(path) as answer:
        for name, value in PAGES.items():
            assert answer.headers[name].startswith(value), name
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_the_api_can_be_read_from_any_site_and_is_taken_for_no_other_type(app: Flask) -> None:
    headers = app.test_client().get("/v1/models").headers
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Cross-Origin-Resource-Policy" not in headers
