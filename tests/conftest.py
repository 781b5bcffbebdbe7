"""What many tests need: a scripted Ollama."""

from collections.abc import Iterator

import pytest

from tests.support.fake_ollama import FakeOllama


@pytest.fixture(scope="session")
def fake_ollama() -> Iterator[FakeOllama]:
    """One scripted Ollama for the whole run; tests choose their scripts by markers in the prompt, so none collide."""
    with FakeOllama() as fake:
        yield fake
