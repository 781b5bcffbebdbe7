"""Starting and stopping real servers."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import requests

from tests.support.fake_ollama import FakeOllama
from tests.support.servers import start_app


def test_a_started_server_answers_replaces_a_killed_worker_and_leaves_no_process(tmp_path: Path) -> None:
    with FakeOllama() as fake, start_app(tmp_path, fake.url) as server:
        headers = {"Authorization": f"Bearer {server.key('live')}"}
        body = {"model": "phi-3-mini", "messages": [{"role": "user", "content": "Reply with the single word PONG"}]}
        reply = requests.post(f"{server.url}/v1/chat/completions", headers=headers, json=body, timeout=10)
        assert reply.json()["choices"][0]["message"]["content"] == "PONG."
        assert fake.last()["outcome"] == "complete"
        family = [server.pid, *server.worker_pids()]
        family.append(server.kill_worker())
        fake.wait_until(lambda: set(server.worker_pids()) - set(family))
        server.wait_ready()
        assert requests.get(f"{server.url}/v1/models", headers=headers, timeout=10).status_code == 200
        family += server.worker_pids()
    assert not [pid for pid in family if psutil.pid_exists(pid)]


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="LLMRACK_WORKER_CONNECTIONS"):
        start_app(tmp_path, "http://127.0.0.1:9", worker_connections="many")
