"""What is left out of gunicorn's work for each request changes nothing about its answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import message, wsgi
from hypothesis import given
from hypothesis import strategies as st

from server import responses
from server.responses import OneSend

NAMES = (
    "Content-Type",
    "content-length",
    "Connection",
    "Upgrade",
    "Transfer-Encoding",
    "x-request-id",
    "bad name",
    "É",
)
VALUES = (
    "",
    "text/plain",
    " padded ",
    "12",
    "close",
    "upgrade",
    "websocket",
    "a\r\nSet-Cookie: b=c",
    "\x00",
    "é",
    "語",
)


class Request:
    """Of gunicorn's request what its response asks."""

    method, version, headers = "POST", (1, 1), ()

    def should_close(self) -> bool:
        return False


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def processed(kind: Any, headers: list[tuple[str, str]]) -> Any:
    """What a response keeps of headers, or the exception they raise."""
    response = kind(Request(), None, Config())
    try:
        response.process_headers(headers)
    except Exception as error:
        return type(error), str(error)
    return response.headers, response.response_length, response.upgrade


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=6))
def test_headers_are_kept_changed_and_refused_as_gunicorn_does(headers: list[tuple[str, str]]) -> None:
    expected = processed(wsgi.Response.__mro__[-2], headers)
    assert processed(OneSend, headers) == expected
    # A second time, when their values are known.
    assert processed(OneSend, headers) == expected


@pytest.mark.parametrize("pieces", [[], [b"one"], [b"one", b"", b"two"]])
@pytest.mark.parametrize("length", [None, "sum"])
def test_the_bytes_on_the_wire_are_gunicorns_own(
    pair: tuple[socket.socket, socket.socket], pieces: list[bytes], length: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gunicorn.util.http_date", lambda timestamp=None: "now")
    headers = [("Content-Type", "text/plain")]
    if length:
        headers.append(("Content-Length", str(sum(map(len, pieces)))))
    seen = []
    for kind in (wsgi.Response.__mro__[-2], OneSend):
        response: Any = kind(Request(), pair[0], Config())
        response.start_response("200 OK", headers)
        for piece in pieces:
            response.write(piece)
        response.close()
        seen.append(pair[1].recv(65536))
    assert seen[0] == seen[1]


def test_no_address_is_a_trusted_proxy_as_gunicorn_says_for_an_empty_list() -> None:
    config = Config()
    config.set("forwarded_allow_ips", "")
    policy = message.HeaderPolicy()
    policy.cfg = config
    for peer in (("127.0.0.1", 1), ("::1", 1, 0, 0), ("203.0.113.7", 1), b"", ""):
        policy.peer_addr = peer
        assert message.HeaderPolicy._peer_is_trusted_proxy(policy) == responses._is_on_this_machine(policy)


def test_a_date_is_the_same_text_for_the_whole_second() -> None:
    assert responses._date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert responses._date(784111777) is responses._date(784111777)
