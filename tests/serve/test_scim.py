"""SCIM over real gunicorn: a directory makes users, and what it ends is refused at once."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.servers import Running, flask, start_app

TOKEN = "t" * 40


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with start_app(tmp_path_factory.mktemp("scim"), "http://127.0.0.1:9", scim_token=TOKEN) as running:
        yield running


def call(server: Running, method: str, path: str, body: Any = None, token: str = TOKEN) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
    return requests.request(method, f"{server.url}/scim/v2{path}", json=body, headers=headers, timeout=10)


def create(server: Running, name: str, **more: Any) -> Any:
    answer = call(server, "POST", "/Users", {"userName": name} | more)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_user_is_made_found_and_listed(server: Running) -> None:
    made = create(server, "Ada@Example.com", externalId="ext-1")
    assert (made["userName"], made["active"], made["externalId"]) == ("ada@example.com", True, "ext-1")
    assert call(server, "GET", f"/Users/{made['id']}").json() == made
    for filter_ in ('userName eq "ADA@example.com"', 'externalId eq "ext-1"'):
        found = call(server, "GET", f"/Users?filter={filter_}").json()
        assert (found["totalResults"], found["Resources"]) == (1, [made])
    create(server, "second@example.com")
    page = call(server, "GET", "/Users?startIndex=2&count=1").json()
    assert (page["startIndex"], page["itemsPerPage"], page["totalResults"] >= 2) == (2, 1, True)


def test_errors_have_the_shape_of_scim(server: Running) -> None:
    create(server, "twice@example.com")
    cases = (
        (call(server, "POST", "/Users", {"userName": "twice@example.com"}), 409, "uniqueness"),
        (call(server, "POST", "/Users", {"userName": "no address"}), 400, "invalidValue"),
        (call(server, "POST", "/Users", []), 400, "invalidSyntax"),
        (call(server, "GET", "/Users?filter=title pr"), 400, "invalidFilter"),
        (call(server, "GET", "/Users/999999"), 404, None),
        (call(server, "DELETE", "/Users/nobody"), 404, None),
        (call(server, "GET", "/Users", token="wrong"), 401, None),
        (call(server, "GET", "/Users", token=""), 401, None),
    )
    for answer, status, word in cases:
        body = answer.json()
        assert answer.headers["Content-Type"] == "application/scim+json"
        assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
        assert (answer.status_code, body["status"], body.get("scimType")) == (status, str(status), word)


ENDINGS: dict[str, tuple[str, Any]] = {
    "a patch of Okta": ("PATCH", {"Operations": [{"op": "replace", "value": {"active": False}}]}),
    "a patch of Entra": ("PATCH", {"Operations": [{"op": "Replace", "path": "active", "value": "False"}]}),
    "a put": ("PUT", {"userName": "PUT@example.com", "active": False}),
    "a delete": ("DELETE", None),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_keys_are_refused_within_half_a_second_of(name: str, server: Running) -> None:
    method, body = ENDINGS[name]
    email = f"{name.replace(' ', '-')}@example.com".lower()
    if method == "PUT":
        body = body | {"userName": email}
    user = create(server, email)
    secret = flask(server.settings, "keys", "create", "--name", "k", "--account", email, "--mode", "test").split()
    key = next(word for word in secret if word.startswith("rl_test_"))

    def status() -> int:
        return requests.get(
            f"{server.url}/v1/models", headers={"Authorization": f"Bearer {key}"}, timeout=10
        ).status_code

    assert status() == 200
    began = time.monotonic()
    assert call(server, method, f"/Users/{user['id']}", body).status_code in (200, 204)
    assert status() == 401
    assert time.monotonic() - began < 0.5
    entries = call(server, "GET", f'/Users?filter=userName eq "{email}"').json()
    assert [row["active"] for row in entries["Resources"]] == ([] if method == "DELETE" else [False])
    if method == "DELETE":
        assert create(server, email)["id"] == user["id"]
        assert status() == 200


def test_an_account_that_an_operator_disabled_stays_disabled(server: Running) -> None:
    user = create(server, "banned@example.com")
    flask(server.settings, "accounts", "disable", "banned@example.com", "--reason", "abuse")
    answer = call(server, "PUT", f"/Users/{user['id']}", {"userName": "banned@example.com", "active": True})
    assert answer.json()["active"] is False


def test_what_is_supported_can_be_asked(server: Running) -> None:
    config = call(server, "GET", "/ServiceProviderConfig").json()
    assert (config["patch"]["supported"], config["bulk"]["supported"]) == (True, False)
    assert call(server, "GET", "/ResourceTypes").json()["Resources"][0]["endpoint"] == "/Users"
    assert call(server, "GET", "/Schemas").json()["totalResults"] == 1


def test_without_a_token_there_is_no_such_address(tmp_path: Path) -> None:
    with start_app(tmp_path, "http://127.0.0.1:9") as running:
        assert call(running, "GET", "/Users").status_code == 404
