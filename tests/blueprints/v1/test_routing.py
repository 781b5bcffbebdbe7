"""Routes found in the table are those that Werkzeug would have found."""

from __future__ import annotations

import pytest
from flask import Flask, url_for
from werkzeug.routing import RequestRedirect

from blueprints.web.flask_app import App
from tests.blueprints.v1.conftest import Api


def fixed(app: Flask) -> list[tuple[str, str]]:
    return [
        (method, rule.rule) for rule in app.url_map.iter_rules() if not rule.arguments for method in rule.methods or ()
    ]


def test_the_table_and_werkzeug_find_the_same_view_for_every_route_without_parts(app: Flask) -> None:
    found = fixed(app)
    assert ("POST", "/v1/chat/completions") in found
    for method, path in found:
        with app.test_request_context(path, method=method) as context:
            adapter = Flask.create_url_adapter(app, context.request)
            assert adapter is not None
            try:
                expected = adapter.match(return_rule=True)
            except RequestRedirect:
                continue
            assert (context.request.url_rule, context.request.view_args) == expected


def test_a_request_found_in_the_table_can_still_make_addresses(app: Flask) -> None:
    with app.test_request_context("/v1/models"):
        assert url_for("health.ready", _external=True) == "http://localhost/readyz"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/chat/completions", 405), ("POST", "/v1/nothing", 404), ("OPTIONS", "/v1/chat/completions", 200)],
)
def test_what_is_not_in_the_table_is_answered_as_before(live: Api, method: str, path: str, status: int) -> None:
    answer = live.client.open(path, method=method, headers=live.headers())
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    if status == 405:
        assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("host", ["a b", "exa\\mple", "a/b", ""])
def test_a_host_that_is_none_is_the_same_wherever_a_route_is_found(live: Api, host: str) -> None:
    answers = [
        live.client.get(path, headers=live.headers({"Host": host})) for path in ("/v1/models", "/v1/models/phi-3-mini")
    ]
    assert [answer.status_code for answer in answers] == [200, 200]


def test_views_are_called_as_they_are(app: Flask) -> None:
    assert isinstance(app, App)
    view = app.view_functions["v1.chat.create_chat_completion"]
    assert app.ensure_sync(view) is view
