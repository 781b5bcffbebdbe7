"""One real gunicorn for the tests of this folder, with short deadlines and limits nobody meets by accident."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import Answer, Client
from tests.support.fake_ollama import FakeOllama
from tests.support.servers import Running, start_app

ROOMY_PLAN = """
[plans.business]
requests_per_minute = 1000000
tokens_per_day = 1000000000
concurrent_requests = 100000
test_requests_per_minute = 1000000
test_concurrent_requests = 100000
"""
SHORT = {"ping_interval_s": 0.4, "body_timeout_s": 1, "write_timeout_s": 1.5, "ollama_silence_timeout_s": 4}


@dataclass(frozen=True)
class Rig:
    """A running server with its Ollama and one key of each mode."""

    server: Running
    ollama: FakeOllama
    live: str
    test: str

    def chat(self, prompt: str, *, key: str | None = None, **fields: Any) -> Client:
        """A connection on which a streamed chat has been asked for."""
        client = Client(self.server.url)
        client.ask("/v1/chat/completions", self.body(prompt, **fields), key or self.live)
        return client

    def answer(self, prompt: str, **fields: Any) -> Answer:
        """The whole answer to a streamed chat."""
        with self.chat(prompt, **fields) as client:
            return client.answer()

    @staticmethod
    def body(prompt: str, **fields: Any) -> dict[str, Any]:
        messages = [{"role": "user", "content": prompt}]
        return {"model": "phi-3-mini", "messages": messages, "stream": True, **fields}


def start_rig(folder: Path, ollama: FakeOllama, **settings: Any) -> Rig:
    (folder / "instance").mkdir(parents=True, exist_ok=True)
    (folder / "instance" / "plans.toml").write_text(ROOMY_PLAN, encoding="utf-8")
    server = start_app(folder, **({"ollama_url": ollama.url} | SHORT | settings))
    live, test = (server.key(mode, mode, "--plan", "business") for mode in ("live", "test"))
    return Rig(server, ollama, live, test)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory, fake_ollama: FakeOllama) -> Iterator[Rig]:
    rig = start_rig(tmp_path_factory.mktemp("serve"), fake_ollama)
    with rig.server:
        yield rig
