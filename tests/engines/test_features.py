"""Log-probabilities are offered when the Ollama in use has them."""

import socket
import time

import pytest

from llmrack.engines.features import Probe, has_logprobs
from llmrack.engines.ollama.client import Ollama
from tests.support.fake_ollama import FakeOllama

VERSIONS = [("0.12.10", False), ("0.12.11", True), ("0.13.0-rc1", True), ("v0.9.6", False), ("1.0.0", True), ("", True)]


@pytest.mark.parametrize(("version", "expected"), VERSIONS)
def test_a_version_says_whether_log_probabilities_are_there(version: str, expected: bool) -> None:
    assert has_logprobs(version) is expected


def test_an_engine_is_asked_once_a_minute_and_one_that_is_away_changes_nothing(fake_ollama: FakeOllama) -> None:
    now = [0.0]
    engine = Ollama(fake_ollama.url, connect_timeout_s=1, silence_timeout_s=1)
    probe = Probe(engine, image_urls=False, clock=lambda: now[0])
    asked = len(fake_ollama.requests(path="/api/version"))
    assert [probe.features().logprobs for _ in range(5)] == [True] * 5
    fake_ollama.wait_until(lambda: len(fake_ollama.requests(path="/api/version")) == asked + 1)
    now[0] = 61
    probe.features()
    fake_ollama.wait_until(lambda: len(fake_ollama.requests(path="/api/version")) == asked + 2)
    away = Probe(Ollama("http://127.0.0.1:9", connect_timeout_s=1, silence_timeout_s=1), image_urls=True)
    assert (away.features().logprobs, away.features().image_urls) == (True, True)


def test_a_request_does_not_wait_for_an_engine_that_is_asked_for_its_version() -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        engine = Ollama(f"http://127.0.0.1:{frozen.getsockname()[1]}", connect_timeout_s=5, silence_timeout_s=5)
        probe = Probe(engine, image_urls=False)
        started = time.monotonic()
        assert probe.features().logprobs is True
        assert time.monotonic() - started < 0.5
        asking, _ = frozen.accept()
        with asking:
            assert asking.recv(1000).startswith(b"GET /api/version")
            body = b'{"version": "0.9.6"}'
            asking.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            deadline = time.monotonic() + 5
            while probe.features().logprobs and time.monotonic() < deadline:
                time.sleep(0.01)
    assert probe.features().logprobs is False
