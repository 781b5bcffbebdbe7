"""Streamed responses over real gunicorn: how they stay alive, how they break, and what a websocket is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.clients import Answer, Client

from .conftest import Rig


def ask(rig: Rig, prompt: str) -> Client:
    client = Client(rig.server.url)
    client.ask("/v1/responses", {"model": "phi-3-mini", "input": prompt, "stream": True}, rig.live)
    return client


def answer(rig: Rig, prompt: str) -> Answer:
    with ask(rig, prompt) as client:
        return client.answer()


def events(body: bytes) -> list[Any]:
    found = [json.loads(block.partition(b"data: ")[2]) for block in body.split(b"\n\n")[:-1]]
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


def test_a_silent_model_is_bridged_by_events_and_never_by_comments(rig: Rig) -> None:
    body = answer(rig, "Count from 1 to 5 [[first:1.5]]").body
    kinds = [event["type"] for event in events(body)]
    assert kinds[0] == "response.created"
    assert kinds.count("response.in_progress") >= 3
    assert kinds[-1] == "response.completed"
    assert b"\n: " not in body
    assert not body.startswith(b": ")


@pytest.mark.parametrize("fault", ["rst_at_chunk:3", "clean_end_no_done:3", "error_line:3", "stall_at_chunk:3"])
def test_a_failure_after_the_first_byte_ends_the_stream_in_both_ways(rig: Rig, fault: str) -> None:
    broken = answer(rig, f"Count from 1 to 50 [[fault:{fault}]]")
    assert (broken.status, broken.is_whole) == (200, True)
    *found, told, failed = events(broken.body)
    assert (told["type"], told["error"]["type"]) == ("error", "api_error")
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert "".join(event.get("delta", "") for event in found) == "Here it goes"


@pytest.mark.parametrize("fault", ["refuse", "500_died", "503_busy"])
def test_a_failure_before_the_first_byte_is_a_status(rig: Rig, fault: str) -> None:
    refused = answer(rig, f"hi [[fault:{fault}]]")
    assert (refused.status, refused.json()["error"]["type"]) == (502, "api_error")


def test_a_websocket_is_told_to_use_http(rig: Rig) -> None:
    lines = (
        "GET /v1/responses HTTP/1.1",
        f"Host: {rig.server.url.removeprefix('http://')}",
        f"Authorization: Bearer {rig.live}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    with Client(rig.server.url) as client:
        client.send("\r\n".join((*lines, "", "")).encode())
        told = client.answer()
    assert (told.status, told.json()["error"]["code"]) == (426, "method_not_allowed")
