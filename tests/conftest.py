"""What many tests need: a scripted Ollama, the store and what works on it, and what to install for skipped ones."""

from collections.abc import Iterator

import pytest

from tests.support import programs
from tests.support.fake_ollama import FakeOllama
from tests.support.stores import clock, desk, meter, store
from tests.support.tills import counter, stripe

__all__ = ["clock", "counter", "desk", "fake_ollama", "meter", "store", "stripe"]


@pytest.fixture(scope="session")
def fake_ollama() -> Iterator[FakeOllama]:
    """One scripted Ollama for the whole run; tests choose their scripts by markers in the prompt, so none collide."""
    with FakeOllama() as fake:
        yield fake


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = [str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", ())]
    if said := programs.summary(reasons):
        terminalreporter.write_line(said)
