"""The hot path's HTTP client against a peer that sends exactly the bytes of each case."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from llmrack.engines.ollama.connection import Pool
from llmrack.engines.ollama.framing import BadResponse, Chunked

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


class Peer:
    """Accepts connections one after the other; each answers its requests with the next scripted list of pieces."""

    def __init__(self, *connections: list[list[bytes]]) -> None:
        self.connections = connections
        self.received: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve)

    def serve(self) -> None:
        for answers in self.connections:
            sock, _ = self.listener.accept()
            sock.settimeout(5)
            with sock:
                for pieces in answers:
                    self.received.append(self.read_request(sock))
                    for piece in pieces:
                        sock.sendall(piece)

    def read_request(self, sock: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            data += sock.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(body) < size:
            body += sock.recv(65536)
        return head + b"\r\n\r\n" + body


@contextmanager
def peer(*connections: list[list[bytes]]) -> Iterator[tuple[Peer, Pool]]:
    server = Peer(*connections)
    server.thread.start()
    pool = Pool(server.url, connect_timeout_s=2)
    try:
        yield server, pool
    finally:
        pool.close()
        server.listener.close()
        server.thread.join(5)


def read_all(pool: Pool, body: bytes = b"{}") -> tuple[int, bytes]:
    response = pool.post("/x", body)
    response.set_timeout(5)
    try:
        return response.read_head(), response.read(1_000_000)
    finally:
        response.close()


FRAMINGS = [
    ("content length", [HEAD + b"Content-Length: 5\r\n\r\nhello"], b"hello"),
    ("content length in pieces", [HEAD + b"Content-", b"Length: 5\r\n\r", b"\nhe", b"llo"], b"hello"),
    ("no body", [HEAD + b"Content-Length: 0\r\n\r\n"], b""),
    ("chunked", [CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"], b"abcde"),
    ("chunked in pieces", [CHUNKED + b"3", b"\r\na", b"bc\r", b"\n0\r\n", b"\r\n"], b"abc"),
    ("chunk extension and trailer", [CHUNKED + b"3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n"], b"abc"),
    ("until close", [HEAD + b"\r\nhello"], b"hello"),
    ("after a 100", [b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\nok"], b"ok"),
]  # fmt: skip


@pytest.mark.parametrize(("pieces", "expected"), [row[1:] for row in FRAMINGS], ids=[row[0] for row in FRAMINGS])
def test_a_body_ends_where_its_framing_says(pieces: list[bytes], expected: bytes) -> None:
    with peer([pieces]) as (_, pool):
        assert read_all(pool) == (200, expected)


BROKEN = [
    ("hang-up before the head", [b"HTTP/1.1 200"]),
    ("hang-up in a sized body", [HEAD + b"Content-Length: 9\r\n\r\nhel"]),
    ("hang-up in a chunk", [CHUNKED + b"9\r\nabc"]),
    ("hang-up between chunks", [CHUNKED + b"3\r\nabc\r\n"]),
    ("garbage for a chunk size", [CHUNKED + b"zz\r\nabc\r\n"]),
    ("a negative chunk size", [CHUNKED + b"-3\r\nabc\r\n"]),
    ("a chunk longer than it says", [CHUNKED + b"2\r\nabc\r\n"]),
    ("not HTTP", [b"hello there\r\n\r\n"]),
    ("a content length that is no number", [HEAD + b"Content-Length: many\r\n\r\n"]),
    ("an endless head", [HEAD + b"X: " + b"y" * 70_000]),
]


@pytest.mark.parametrize("pieces", [row[1] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_answer_is_an_error_and_its_connection_is_not_used_again(pieces: list[bytes]) -> None:
    with peer([pieces], [[HEAD + b"Content-Length: 2\r\n\r\nok"]]) as (_, pool):
        with pytest.raises((BadResponse, ConnectionError)):
            read_all(pool)
        assert read_all(pool) == (200, b"ok")


def test_a_whole_answer_leaves_its_connection_for_the_next_request() -> None:
    answer = [HEAD + b"Content-Length: 2\r\n\r\nok"]
    with peer([answer, answer]) as (server, pool):
        assert [read_all(pool), read_all(pool, b'{"a":1}')] == [(200, b"ok")] * 2
    assert server.received[1].endswith(b'\r\nContent-Length: 7\r\n\r\n{"a":1}')


@pytest.mark.parametrize("refusal", [b"Connection: close\r\n", b""], ids=["connection close", "surplus bytes"])
def test_a_connection_that_cannot_be_used_again_is_closed(refusal: bytes) -> None:
    surplus = b"" if refusal else b"surplus"
    with peer(
        [[HEAD + refusal + b"Content-Length: 2\r\n\r\nok" + surplus]], [[HEAD + b"Content-Length: 0\r\n\r\n"]]
    ) as (
        _,
        pool,
    ):
        assert read_all(pool) == (200, b"ok")
        assert read_all(pool) == (200, b"")


def test_a_request_on_a_connection_the_server_has_closed_meanwhile_is_sent_once_more() -> None:
    answer = [HEAD + b"Content-Length: 2\r\n\r\nok"]
    with peer([answer], [answer]) as (server, pool):
        assert [read_all(pool), read_all(pool)] == [(200, b"ok")] * 2
    assert len(server.received) == 2


def test_a_request_is_not_repeated_once_part_of_an_answer_has_come() -> None:
    answer = [HEAD + b"Content-Length: 2\r\n\r\nok"]
    with peer([answer, [b"HTTP/1.1 200 OK\r\n"]]) as (server, pool):
        read_all(pool)
        with pytest.raises(BadResponse):
            read_all(pool)
    assert len(server.received) == 2


def test_a_read_that_timed_out_goes_on_later() -> None:
    pieces = [CHUNKED + b"1\r\na\r\n", b"1\r\nb\r\n0\r\n\r\n"]
    go_on = threading.Event()

    class Slow(Peer):
        def serve(self) -> None:
            sock, _ = self.listener.accept()
            with sock:
                self.read_request(sock)
                sock.sendall(pieces[0])
                go_on.wait(5)
                sock.sendall(pieces[1])

    server = Slow()
    server.thread.start()
    response = Pool(server.url, connect_timeout_s=2).post("/x", b"{}")
    response.set_timeout(0.05)
    assert response.read_some() == b"a"
    with pytest.raises(TimeoutError):
        response.read_some()
    go_on.set()
    response.set_timeout(5)
    assert response.read(10) == b"b"
    response.close()
    response._pool.close()
    server.thread.join(5)
    server.listener.close()


def test_hanging_up_wakes_a_read_in_another_thread() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        response = Pool(f"http://127.0.0.1:{listener.getsockname()[1]}", connect_timeout_s=2).post("/x", b"{}")
        accepted, _ = listener.accept()
        response.set_timeout(5)
        timer = threading.Timer(0.05, response.hang_up)
        timer.start()
        with pytest.raises(BadResponse), accepted:
            response.read_some()
        timer.join()
        response.close()


def test_what_came_before_broken_framing_is_not_lost() -> None:
    framing = Chunked()
    framing.feed(b"3\r\nabc\r\nzz\r\n")
    assert framing.take() == b"abc"
    with pytest.raises(BadResponse):
        framing.take()


def test_every_split_of_a_chunked_body_gives_the_same_bytes() -> None:
    wire = b"3\r\nabc\r\nA;e=1\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"
    for first in range(1, len(wire)):
        for second in range(first, len(wire), 7):
            framing, out = Chunked(), b""
            for piece in (wire[:first], wire[first:second], wire[second:]):
                framing.feed(piece)
                out += framing.take()
            assert (out, framing.is_done, framing.is_clean) == (b"abc0123456789", True, True)
