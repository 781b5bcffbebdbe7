"""A real server in front of two scripted Ollamas with one slot each."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import requests

from tests.serve.conftest import SHORT, Rig, start_rig
from tests.support.fake_ollama import FakeOllama
from tests.support.servers import start_app

POOLED = {"ollama_parallel": 1, "ollama_max_loaded": 1, "switch_min_resident_s": 1, "queue_wait_max_s": 20}


@pytest.fixture(scope="module")
def second() -> Iterator[FakeOllama]:
    with FakeOllama() as fake:
        yield fake


@pytest.fixture(scope="module")
def pooled(tmp_path_factory: pytest.TempPathFactory, fake_ollama: FakeOllama, second: FakeOllama) -> Iterator[Rig]:
    # The pool looks at its hosts from the start: what an earlier test left in memory would decide where it loads.
    fake_ollama.reset()
    urls = f"{fake_ollama.url},{second.url}"
    folder = tmp_path_factory.mktemp("pool")
    (folder / "instance").mkdir()
    (folder / "instance" / "models.toml").write_text("[models.codegemma-7b]\nenabled = true\n", encoding="utf-8")
    rig = start_rig(folder, fake_ollama, **(POOLED | {"ollama_url": urls}))
    with rig.server:
        yield rig


@pytest.fixture(autouse=True)
def plain(fake_ollama: FakeOllama, second: FakeOllama) -> None:
    for fake in (fake_ollama, second):
        fake.reset()
        fake.settings(load_s=0.05)


def post(rig: Rig, prompt: str, key: str = "", **fields: Any) -> requests.Response:
    body = {"model": "phi-3-mini", "messages": [{"role": "user", "content": prompt}], **fields}
    head = {"Authorization": f"Bearer {key or rig.live}"}
    return requests.post(f"{rig.server.url}/v1/chat/completions", json=body, headers=head, timeout=30)


def test_no_ollama_ever_has_more_requests_than_slots_and_its_own_queue_stays_empty(
    pooled: Rig, fake_ollama: FakeOllama, second: FakeOllama
) -> None:
    for fake in (fake_ollama, second):
        fake.always(pace_s=0.01)
    with ThreadPoolExecutor(24) as crowd:
        answers = list(crowd.map(lambda n: post(pooled, f"Count from 1 to 5 {n}", max_tokens=20), range(48)))
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["x-llmrack-host"] for answer in answers} == {"ollama-1", "ollama-2"}
    assert max(int(answer.headers["x-llmrack-queue-wait-ms"]) for answer in answers) > 100
    for fake in (fake_ollama, second):
        assert fake.state()["in_flight_peak"] <= 1
        chats = fake.requests(path="/api/chat")
        assert chats
        assert all("keep_alive" not in record["body"] for record in chats)


def test_users_beside_an_account_with_forty_requests_wait_for_an_answer_or_two(
    pooled: Rig, fake_ollama: FakeOllama, second: FakeOllama
) -> None:
    other = pooled.server.key("live", "other", "--plan", "business", "--account", "other@example.com")
    for fake in (fake_ollama, second):
        fake.always(pace_s=0.02, tokens=10)
    stop = threading.Event()

    def hog() -> None:
        while not stop.is_set():
            post(pooled, "hi", max_tokens=20)

    def visit(_: int) -> float:
        began = time.monotonic()
        assert post(pooled, "hi", other, max_tokens=20).status_code == 200
        return time.monotonic() - began

    with ThreadPoolExecutor(40) as crowd:
        for _ in range(40):
            crowd.submit(hog)
        try:
            time.sleep(1)
            waits = [visit(n) for n in range(10)]
        finally:
            stop.set()
    # In the order of their coming each would wait for 38 others on two slots: 19 answers of 0.2 s.
    assert median(waits) < 1.5


def test_a_waiting_stream_says_its_place_and_a_client_that_leaves_frees_it(
    pooled: Rig, fake_ollama: FakeOllama, second: FakeOllama
) -> None:
    for fake in (fake_ollama, second):
        fake.always(hold="gate", hold_at=1)
    held = [pooled.chat("hi"), pooled.chat("hi")]
    for fake in (fake_ollama, second):
        fake.wait_until(lambda fake=fake: fake.requests(path="/api/chat"))  # type: ignore[misc]
    with pooled.chat("hi") as left:
        left.read_until(b": queued position=")
    with pooled.chat("hi") as waits:
        waits.read_until(b": queued position=1")
        queue = requests.get(f"{pooled.server.url}/status.json", timeout=5).json()["queue"]
        assert queue["waiting"] == {"phi-3-mini": 1}
        assert [(host["name"], host["is_up"], host["slots"]) for host in queue["hosts"]] == [
            ("ollama-1", True, 1),
            ("ollama-2", True, 1),
        ]
        assert [host["models"].get("phi-3-mini") for host in queue["hosts"]] == [1, 1]
        page = requests.get(f"{pooled.server.url}/status", timeout=5).text
        assert "<code>phi-3-mini</code> 1 of 1" in page
        assert "1 request waits for <code>phi-3-mini</code>." in page
        assert pooled.ollama.url not in page
        for fake in (fake_ollama, second):
            fake.always()
            fake.release("gate")
        assert waits.answer().events()[-1] == "[DONE]"
    for client in held:
        client.leave()


def test_a_request_whose_ollama_is_gone_is_answered_by_the_other_and_it_comes_back(
    pooled: Rig, fake_ollama: FakeOllama, second: FakeOllama
) -> None:
    assert post(pooled, "hi").status_code == 200
    second.down()
    try:
        answers = [post(pooled, f"hi {n}") for n in range(6)]
        assert {(a.status_code, a.headers["x-llmrack-host"]) for a in answers} == {(200, "ollama-1")}
    finally:
        second.up()
    fake_ollama.always(hold="busy")
    held = pooled.chat("hi")
    try:
        assert second.wait_until(lambda: post(pooled, "hi").headers.get("x-llmrack-host") == "ollama-2", 15)
    finally:
        fake_ollama.release("busy")
        held.leave()


def test_without_any_ollama_a_request_is_a_502_at_once(
    pooled: Rig, fake_ollama: FakeOllama, second: FakeOllama
) -> None:
    fake_ollama.down()
    second.down()
    try:
        second.wait_until(lambda: post(pooled, "hi").json()["error"]["code"] == "upstream_unreachable", 10)
        began = time.monotonic()
        refused = post(pooled, "hi")
        assert (refused.status_code, refused.json()["error"]["code"]) == (502, "upstream_unreachable")
        assert time.monotonic() - began < 1
    finally:
        fake_ollama.up()
        second.up()
    assert second.wait_until(lambda: post(pooled, "hi").status_code == 200, 15)


def test_two_models_on_machines_that_hold_one_are_both_served_and_what_is_missing_is_said(
    pooled: Rig, fake_ollama: FakeOllama, second: FakeOllama
) -> None:
    with ThreadPoolExecutor(12) as crowd:
        models = ["phi-3-mini", "llama-3.1-8b", "nomic-embed"] * 4

        def ask(model: str) -> int:
            if model == "nomic-embed":
                head = {"Authorization": f"Bearer {pooled.live}"}
                body = {"model": model, "input": ["a", "b"]}
                return requests.post(
                    f"{pooled.server.url}/v1/embeddings", json=body, headers=head, timeout=30
                ).status_code
            return post(pooled, "hi", model=model).status_code

        assert set(crowd.map(ask, models)) == {200}
    missing = post(pooled, "hi", model="codegemma-7b")
    assert (missing.status_code, missing.json()["error"]["code"]) == (502, "model_not_installed")


def test_several_ollamas_without_their_slots_and_slots_with_several_workers_are_refused(tmp_path: Path) -> None:
    for wrong, said in (
        ({"ollama_url": "http://127.0.0.1:1,http://127.0.0.1:2"}, "LLMRACK_OLLAMA_PARALLEL must say"),
        ({"ollama_parallel": 2, "workers": 2}, "LLMRACK_WORKERS=2 with LLMRACK_OLLAMA_PARALLEL"),
    ):
        with pytest.raises(AssertionError, match=said):
            start_app(tmp_path, **({"ollama_url": "http://127.0.0.1:1"} | SHORT | wrong))


def test_a_frozen_ollama_gets_nothing_and_no_page_waits_for_it(
    pooled: Rig, fake_ollama: FakeOllama, second: FakeOllama
) -> None:
    assert post(pooled, "hi").status_code == 200
    second.freeze()
    try:
        queue = second_is_down(pooled, 20)
        assert [host["is_up"] for host in queue["hosts"]] == [True, False]
        began = time.monotonic()
        answers = [post(pooled, f"hi {number}") for number in range(5)]
        assert {(a.status_code, a.headers["x-llmrack-host"]) for a in answers} == {(200, "ollama-1")}
        assert requests.get(f"{pooled.server.url}/readyz", timeout=10).status_code == 200
        assert time.monotonic() - began < 3
    finally:
        second.thaw()


def second_is_down(pooled: Rig, within_s: float) -> Any:
    give_up_at = time.monotonic() + within_s
    while True:
        queue = requests.get(f"{pooled.server.url}/status.json", timeout=15).json()["queue"]
        if not queue["hosts"][1]["is_up"] or time.monotonic() > give_up_at:
            return queue
        time.sleep(0.5)
