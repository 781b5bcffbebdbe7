"""What is left out of gunicorn's work for each request changes nothing about its answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import wsgi

from server import responses
from server.responses import OneSend


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


def test_a_date_is_the_same_text_for_the_whole_second() -> None:
    assert responses._date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert responses._date(784111777) is responses._date(784111777)
