"""Streams over real gunicorn: how they start, stay alive, and end, whoever fails first."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import psutil
import pytest

from tests.support.clients import Client

from .conftest import Rig


def text(events: list[Any]) -> str:
    chunks = [event for event in events if event != "[DONE]" and "choices" in event]
    return "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)


def test_a_stream_has_the_headers_that_keep_proxies_from_holding_it_back(rig: Rig) -> None:
    answer = rig.answer("Count from 1 to 5")
    assert (answer.status, answer.is_whole) == (200, True)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache, no-transform"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["x-request-id"].startswith("req_")
    assert text(answer.events()) == "Here it goes: 1, 2, 3, 4, 5."
    assert answer.events()[-1] == "[DONE]"


def test_a_stream_does_not_keep_its_prompt_while_it_lasts(rig: Rig) -> None:
    count, prompt = 30, "Count from 1 to 20 [[pace:0.25]]" + " incomprehensibilities" * 10_000

    def open_stream(stack: ExitStack) -> None:
        """One after another: what is needed to read many prompts at once stays with the allocator."""
        stack.enter_context(rig.chat(prompt, model="qwen-2.5-7b")).read_until(b'"content":"')

    with ExitStack() as stack:
        open_stream(stack)
        before = memory_bytes(rig)
        for _ in range(count):
            open_stream(stack)
        added = memory_bytes(rig) - before
    print("KB a stream:", round(added / count / 1024))
    assert added / count < len(prompt) / 2


def memory_bytes(rig: Rig) -> int:
    return sum(psutil.Process(pid).memory_info().rss for pid in rig.server.worker_pids())


def test_pieces_are_sent_as_they_come(rig: Rig) -> None:
    with rig.chat("Count from 1 to 5 [[pace:0.1]]") as client:
        started = time.monotonic()
        client.read_until(b'"content":"')
        first = time.monotonic() - started
        client.read_until(b"[DONE]")
        assert time.monotonic() - started - first > 0.5


def test_a_silent_model_is_bridged_by_comments(rig: Rig) -> None:
    with rig.chat("Count from 1 to 5 [[first:1.5]]") as client:
        data = client.read_until(b"[DONE]")
    assert data.count(b": ping\n\n") >= 2
    assert data.index(b": ping") < data.index(b"data: ")


@pytest.mark.parametrize("fault", ["refuse", "fin_no_reply", "503_busy", "500_html", "500_died", "404_missing"])
def test_a_failure_before_the_first_byte_is_a_502(rig: Rig, fault: str) -> None:
    answer = rig.answer(f"hi [[fault:{fault}]]")
    assert answer.status == 502
    assert answer.json()["error"]["type"] == "api_error"
    assert ("retry-after" in answer.headers) == (fault == "503_busy")


BREAKS = ["rst_at_chunk:3", "fin_at_chunk:3", "clean_end_no_done:3", "half_line:3", "error_line:3", "garbage_chunk:3"]


@pytest.mark.parametrize("fault", [*BREAKS, "stall_at_chunk:3"])
def test_a_failure_after_the_first_byte_is_a_last_chunk_that_says_so(rig: Rig, fault: str) -> None:
    answer = rig.answer(f"Count from 1 to 50 [[fault:{fault}]]")
    last, alone = answer.events()[-2:]
    assert (answer.status, answer.is_whole) == (200, True)
    assert alone == {"error": last["error"]}
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "error"}]
    assert last["error"]["type"] == "api_error"
    assert last["id"] == answer.events()[0]["id"]
    assert text(answer.events()) == "Here it goes"


def test_streams_that_wait_behind_another_are_not_cut_for_silence(rig: Rig) -> None:
    """The limit on silence is 4 seconds here; the model answers another request all the time."""
    with ThreadPoolExecutor(6) as pool:
        other = pool.submit(rig.answer, "Count from 1 to 30 [[pace:0.2]]")
        waiting = [pool.submit(rig.answer, "Count from 1 to 3 [[first:5]]") for _ in range(5)]
        assert all(text(one.result().events()) == "Here it goes: 1, 2, 3." for one in waiting)
        assert other.result().is_whole


LEAVING = [
    ("sent", "[[first:20]]", True),
    ("head", "[[pace:0.3]]", True),
    ("piece:3", "[[pace:0.3]]", True),
    ("after:0.6", "[[first:20]]", True),
    ("sent", "[[first:20]]", False),
    ("after:0.6", "[[first:20]]", False),
    ("after:0.6", "[[pace:0.3]]", False),
]


@pytest.mark.parametrize(("moment", "script", "stream"), LEAVING)
def test_when_the_client_leaves_the_model_is_stopped_within_a_second(
    rig: Rig, moment: str, script: str, stream: bool
) -> None:
    tag = f"left-{moment}-{script[2:7]}-{stream}".replace(":", "-")
    client = rig.chat(f"Count from 1 to 50 {script} [[tag:{tag}]]", stream=stream)
    rig.ollama.wait_for(tag)
    if moment == "head":
        client.read_until(b"\r\n\r\n")
    elif moment == "piece:3":
        client.read_until(b"data: ", 3)
    elif moment == "after:0.6":
        time.sleep(0.6)
    left_at = client.leave()
    record = rig.ollama.wait_for(tag, outcome="client_left")
    assert record["client_left_at"] - left_at < 1


def test_a_client_that_stops_reading_is_let_go(rig: Rig) -> None:
    # More than the buffers of all sockets in between hold.
    script = rig.ollama.define("torrent", lines=[{"message": {"content": "x" * 60_000}}] * 400)
    prompt = f"hi {script} [[tag:unread]]"
    with Client(rig.server.url, receive_buffer_bytes=4096) as client:
        client.ask("/v1/chat/completions", rig.body(prompt), rig.live)
        client.read_until(b"data: ")
        rig.ollama.wait_for("unread", outcome="client_left", timeout_s=20)


def test_a_body_that_comes_too_slowly_is_a_408_and_others_are_served_meanwhile(rig: Rig) -> None:
    with Client(rig.server.url) as client:
        head = client.encode("/v1/chat/completions", rig.body("hi"), rig.live, {"Content-Length": "100000"})
        client.send(head[:-20])
        assert rig.answer("hi").status == 200
        answer = client.answer()
    assert (answer.status, answer.json()["error"]["code"]) == (408, "request_timeout")


def test_two_hundred_streams_at_once_all_complete_and_never_mix(rig: Rig) -> None:
    clients = [rig.chat(f"Repeat after me. [[text:I am stream {n}.]] [[pace:0.02]]") for n in range(200)]
    ids = set()
    for n, client in enumerate(clients):
        with client:
            events = client.answer().events()
        assert text(events) == f"I am stream {n}."
        assert events[-1] == "[DONE]"
        ids |= {event["id"] for event in events[:-1]}
    assert len(ids) == 200


def test_memory_is_flat_after_many_streams(rig: Rig) -> None:
    def wave() -> int:
        clients = [rig.chat("Count from 1 to 20 [[pace:0.005]]") for _ in range(200)]
        for client in clients:
            with client:
                answer = client.answer()
                assert (answer.status, answer.body[-14:]) == (200, b"data: [DONE]\n\n"), answer
        return memory_bytes(rig)

    sizes = [wave() for _ in range(5)]
    print("MB after each wave of 200 streams:", [round(size / 1e6, 1) for size in sizes])
    # The first waves fill pools and caches; after that nothing may stay.
    assert sizes[4] - sizes[1] < 4_000_000


def test_every_log_line_is_json_and_a_request_is_found_by_its_id(rig: Rig) -> None:
    request_id = rig.answer("hi").headers["x-request-id"]
    lines = [json.loads(line) for line in rig.server.logs().splitlines() if line.startswith("{")]
    found = [line for line in lines if line.get("request_id") == request_id]
    assert [line["message"] for line in found] == ["chat phi-3-mini completed"]
    (line,) = found
    assert (line["outcome"], line["mode"]) == ("completed", "live")
    assert rig.live not in rig.server.logs()
