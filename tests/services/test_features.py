"""Log-probabilities are offered when the Ollama in use has them."""

import pytest

from llmrack.engines.ollama import Ollama
from llmrack.services.features import Probe, has_logprobs
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
    now[0] = 61
    probe.features()
    assert len(fake_ollama.requests(path="/api/version")) == asked + 2
    away = Probe(Ollama("http://127.0.0.1:9", connect_timeout_s=1, silence_timeout_s=1), image_urls=True)
    assert (away.features().logprobs, away.features().image_urls) == (True, True)
