"""Clients that send or read slowly are let go, on every kind of route, and never keep the others waiting."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from server.worker import UNREAD_BYTES
from tests.support.clients import Client
from tests.support.fake_ollama import FakeOllama

from .conftest import Rig, start_rig

# Deadlines here are 1 s for a body and 1.5 s for a part of an answer.
SOON_S = 15.0
FORMS = ["/login", "/signup", "/reset", "/logout", "/try", "/playground", "/playground/chat/completions", "/nothing"]


def until_closed(sock: socket.socket) -> tuple[float, bytes]:
    """Seconds until the server has closed the connection, and what it sent."""
    began, received = time.monotonic(), b""
    sock.settimeout(SOON_S)
    try:
        while part := sock.recv(65536):
            received += part
    except ConnectionResetError:
        pass
    return time.monotonic() - began, received


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("path", FORMS)
def test_a_body_that_stops_in_the_middle_ends_its_connection(rig: Rig, path: str, framing: str) -> None:
    with Client(rig.server.url) as client:
        kind = "Content-Type: application/x-www-form-urlencoded"
        start = b"4\r\na=1&\r\n" if "chunked" in framing else b"a=1&"
        client.send(f"POST {path} HTTP/1.1\r\nHost: {client.host}\r\n{kind}\r\n{framing}\r\n\r\n".encode() + start)
        took_s, _ = until_closed(client.sock)
    # Five more seconds are those that an idle connection has after an answer.
    assert took_s < SOON_S - 3


def test_a_form_that_drips_is_a_408(rig: Rig) -> None:
    with Client(rig.server.url) as client:
        head = f"POST /login HTTP/1.1\r\nHost: {client.host}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        client.send(f"{head}Content-Length: 1000\r\n\r\n".encode())
        client.send_slowly(b"a=1&" * 20, pause_s=0.1, for_s=3)
        _, received = until_closed(client.sock)
    assert received.startswith(b"HTTP/1.1 408")


def held(rig: Rig, port: int) -> bool:
    """Whether the server still has the connection that comes from this port."""
    workers = [psutil.Process(pid) for pid in rig.server.worker_pids()]
    return any(
        found.raddr and found.raddr.port == port and found.status == psutil.CONN_ESTABLISHED
        for worker in workers
        for found in worker.net_connections("tcp")
    )


def wait_let_go(rig: Rig, port: int) -> None:
    deadline = time.monotonic() + 10
    while held(rig, port):
        assert time.monotonic() < deadline, "the connection is still held"
        time.sleep(0.1)


@pytest.mark.parametrize("path", ["/openapi.json", "/llms-full.txt", "/docs/search.json", "/", "/static/css/site.css"])
def test_a_page_that_is_asked_for_again_and_again_and_never_read_is_let_go(rig: Rig, path: str) -> None:
    with Client(rig.server.url, receive_buffer_bytes=2048) as client:
        client.sock.settimeout(2)
        with suppress(TimeoutError, ConnectionError):
            client.send(client.encode(path) * 2000)
        wait_let_go(rig, client.sock.getsockname()[1])


def test_a_plain_answer_that_is_never_read_is_let_go(rig: Rig) -> None:
    body = {"model": "nomic-embed", "input": [f"text {n}" for n in range(1000)]}
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(rig.server.url, receive_buffer_bytes=2048)) for _ in range(3)]
        for client in clients:
            client.ask("/v1/embeddings", body, rig.test)
        for client in clients:
            client.sock.recv(100)
            wait_let_go(rig, client.sock.getsockname()[1])
        with Client(rig.server.url) as other:
            other.ask("/healthz")
            assert other.answer().status == 200
    assert "Traceback" not in rig.server.logs()


def test_a_large_answer_that_is_read_slowly_but_steadily_comes_whole(rig: Rig) -> None:
    body = {"model": "nomic-embed", "input": [f"text {n}" for n in range(600)]}
    with Client(rig.server.url, receive_buffer_bytes=65536) as client:
        client.ask("/v1/embeddings", body, rig.test, {"Connection": "close"})
        received = client.read_until(b"\r\n\r\n")
        began = time.monotonic()
        while part := client.sock.recv(131072):
            received += part
            # Longer in all than the deadline of a part.
            time.sleep(max(0.0, min(0.1, 3 - (time.monotonic() - began))))
    assert received.endswith(b"}")
    assert received.count(b'"embedding"') >= 600


@pytest.mark.parametrize("extra_bytes", [1, 500_000])
def test_a_body_just_over_the_limit_reads_its_413(rig: Rig, extra_bytes: int) -> None:
    with Client(rig.server.url) as client:
        client.ask("/v1/chat/completions", b" " * (10_485_760 + extra_bytes), rig.test, {"Connection": "close"})
        answer = client.answer()
    assert (answer.status, answer.json()["error"]["code"]) == (413, "request_too_large")


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory, fake_ollama: FakeOllama) -> Iterator[Rig]:
    rig = start_rig(tmp_path_factory.mktemp("bounded"), fake_ollama, connections_per_address=20)
    with rig.server:
        yield rig


def from_another_address(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port or 80), 5, source_address=("127.0.0.2", 0))


def test_an_address_with_too_many_connections_is_a_503_and_others_are_served(bounded: Rig) -> None:
    with ExitStack() as stack:
        streams = [stack.enter_context(bounded.chat("hi [[fault:never_ends]] [[pace:0.2]]")) for _ in range(20)]
        for stream in streams:
            stream.read_until(b"data: ")
        with Client(bounded.server.url) as client:
            client.ask("/healthz")
            answer = client.answer()
        assert (answer.status, answer.json()["error"]["code"]) == (503, "too_many_connections")
        assert answer.headers["retry-after"] == "1"
        with from_another_address(bounded.server.url) as other:
            other.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert other.recv(100).startswith(b"HTTP/1.1 200")
        streams[0].sock.close()
        deadline = time.monotonic() + 10
        while True:
            with Client(bounded.server.url) as client:
                client.ask("/healthz", headers={"Connection": "close"})
                if client.answer().status == 200:
                    break
            assert time.monotonic() < deadline, "the place of a closed connection is not free again"


def test_gunicorns_access_log_has_a_line_for_a_stream(
    tmp_path: Path, fake_ollama: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUNICORN_CMD_ARGS", f"--access-logfile {tmp_path / 'access.log'}")
    rig = start_rig(tmp_path, fake_ollama)
    with rig.server:
        assert rig.answer("Count from 1 to 5").is_whole
        deadline = time.monotonic() + 5
        while '"POST /v1/chat/completions HTTP/1.1" 200' not in (tmp_path / "access.log").read_text():
            assert time.monotonic() < deadline, rig.server.logs()
            time.sleep(0.05)
    assert "Traceback" not in rig.server.logs()


def test_a_request_without_a_host_reaches_no_view(rig: Rig) -> None:
    with Client(rig.server.url) as client:
        client.send(b"GET /healthz HTTP/1.1\r\n\r\n")
        answer = client.answer()
        assert (answer.status, answer.json()["error"]["code"]) == (400, "missing_host")
    with Client(rig.server.url) as client:
        client.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert client.answer().status == 200


def unread_bytes(client: Client) -> int:
    """What the kernel holds of the server's answers on this connection; its table is in hexadecimal."""
    port, server_port = client.sock.getsockname()[1], client.sock.getpeername()[1]
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues = row.split()[:5]
        if local.endswith(f":{server_port:04X}") and remote.endswith(f":{port:04X}"):
            return int(queues.partition(":")[0], 16)
    raise AssertionError("there is no such connection")


def test_answers_are_not_made_far_ahead_of_a_client_that_reads_none(rig: Rig) -> None:
    with Client(rig.server.url, receive_buffer_bytes=2048) as client:
        client.send(client.encode("/openapi.json") * 100)
        time.sleep(1)
        assert 0 < unread_bytes(client) <= 2 * UNREAD_BYTES
