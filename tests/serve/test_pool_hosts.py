"""Hosts that the terminal changes while a real server is answering."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from tests.serve.conftest import Rig, start_rig
from tests.serve.test_pool import POOLED, post
from tests.support.fake_ollama import FakeOllama
from tests.support.servers import flask

IN_FORCE_S = 2.0


@pytest.fixture(scope="module")
def second() -> Iterator[FakeOllama]:
    with FakeOllama() as fake:
        yield fake


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, fake_ollama: FakeOllama) -> Iterator[Rig]:
    rig = start_rig(tmp_path_factory.mktemp("hosts"), fake_ollama, **POOLED)
    with rig.server:
        yield rig


@pytest.fixture(autouse=True)
def plain(fake_ollama: FakeOllama, second: FakeOllama) -> None:
    for fake in (fake_ollama, second):
        fake.reset()
        fake.settings(load_s=0.05)


def pool(rig: Rig, *arguments: str) -> str:
    return flask(rig.server.settings, "pool", *arguments)


@pytest.fixture
def open_streams() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def hosts(rig: Rig) -> dict[str, bool]:
    queue = requests.get(f"{rig.server.url}/status.json", timeout=5).json()["queue"]
    return {host["name"]: host["is_up"] for host in queue["hosts"]}


def test_a_host_is_added_drained_and_removed_while_the_server_answers(
    served: Rig, second: FakeOllama, open_streams: contextlib.ExitStack
) -> None:
    assert post(served, "hi").headers["x-llmrack-host"] == "ollama-1"
    pool(served, "add", "attic", second.url, "--slots", "2")
    assert second.wait_until(lambda: hosts(served) == {"ollama-1": True, "attic": True}, IN_FORCE_S)

    second.always(pace_s=0.3, tokens=60)
    pool(served, "drain", "ollama-1", "--wait")
    running = open_streams.enter_context(served.chat("hi"))
    assert second.wait_until(lambda: second.requests(path="/api/chat"), 10)
    said: list[str] = []
    waiting = threading.Thread(target=lambda: said.append(pool(served, "drain", "attic", "--wait")))
    waiting.start()
    assert second.wait_until(lambda: "draining" in pool(served, "list"), 10)
    time.sleep(IN_FORCE_S)
    refused = post(served, "hi")
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "upstream_unreachable")
    with pytest.raises(AssertionError, match="is draining, not off"):
        pool(served, "remove", "attic")
    assert running.answer().events()[-1] == "[DONE]"
    waiting.join(30)
    assert said == ["attic: 0 active\n"]

    pool(served, "remove", "attic")
    pool(served, "resume", "ollama-1")
    assert second.wait_until(lambda: hosts(served) == {"ollama-1": True}, IN_FORCE_S)
    assert second.wait_until(lambda: post(served, "hi").headers.get("x-llmrack-host") == "ollama-1", IN_FORCE_S)
