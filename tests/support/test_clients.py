"""The badly behaved clients, against the scripted Ollama."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support.clients import Client, leave_at, parse
from tests.support.fake_ollama import FakeOllama


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeOllama]:
    with FakeOllama() as running:
        yield running


def body(prompt: str) -> dict[str, object]:
    return {"model": "phi3:mini", "messages": [{"role": "user", "content": prompt}]}


def test_an_answer_is_read_to_its_end(fake: FakeOllama) -> None:
    with Client(fake.url) as client:
        client.ask("/api/chat", body("hi"))
        answer = client.answer()
    assert (answer.status, answer.is_whole) == (200, True)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.body.count(b"\n") > 3


def test_an_answer_that_is_cut_is_not_whole(fake: FakeOllama) -> None:
    with Client(fake.url) as client:
        client.ask("/api/chat", body("[[fault:fin_at_chunk:2]] hi"))
        assert not client.answer().is_whole


def test_a_body_can_arrive_slowly(fake: FakeOllama) -> None:
    with Client(fake.url) as client:
        data = client.encode("/api/chat", body("[[tag:slow]] hi"))
        began = time.monotonic()
        assert client.send_slowly(data, piece_bytes=50, pause_s=0.01) == len(data)
        assert time.monotonic() - began > 0.03
        assert client.answer().status == 200


def test_half_a_header_is_no_request(fake: FakeOllama) -> None:
    fake.reset()
    with Client(fake.url) as client:
        client.half_header()
        fake.wait_until(lambda: fake.state()["connections_open"] == 1)
    fake.wait_until(lambda: fake.state()["connections_open"] == 0)
    assert fake.requests() == []


def test_a_slow_reader_with_a_small_window_stops_the_writer(fake: FakeOllama) -> None:
    with Client(fake.url, receive_buffer_bytes=2048) as client:
        client.ask("/api/chat", body("[[tokens:200000]][[tag:stuffed]] hi"))
        client.read_slowly(piece_bytes=64, pause_s=0.02, for_s=0.2)
        record = fake.wait_for("stuffed")
        assert record["outcome"] == "running"
        assert len(client.received) < 2048
    fake.wait_for("stuffed", outcome="client_left")


@pytest.mark.parametrize(("moment", "least"), [("sent", 0), ("head", 20), ("after:0.1", 20)])
@pytest.mark.parametrize("reset", [False, True])
def test_a_client_leaves_at_its_moment(fake: FakeOllama, moment: str, least: int, reset: bool) -> None:
    fake.reset()
    asked = body("[[fault:never_ends]][[pace:0.01]][[tag:left]] hi")
    data, left_at = leave_at(fake.url, moment, "/api/chat", asked, "", reset=reset)
    assert len(data) >= least
    record = fake.wait_for("left", outcome="client_left")
    assert abs(record["client_left_at"] - left_at) < 0.2


def test_chunks_come_apart_again() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    whole = parse(head + b"6\r\ndata: \r\n9\r\n[DONE]\n\n!\r\n0\r\n\r\n")
    assert whole is not None
    assert (whole.body, whole.is_whole, whole.events()) == (b"data: [DONE]\n\n!", True, ["[DONE]"])
    assert parse(b"HTTP/1.1 200") is None
