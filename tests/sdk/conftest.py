"""One real server in test mode, and OpenAI's own client pointed at it."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.support.testmode import Started, start


@pytest.fixture(scope="package")
def sandboxed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    started = start(tmp_path_factory.mktemp("sdk"))
    with started.server:
        yield started


@pytest.fixture(scope="package")
def client(sandboxed: Started) -> Iterator[OpenAI]:
    """Without retries: a test sees the first answer."""
    with OpenAI(base_url=sandboxed.base_url, api_key=sandboxed.key, max_retries=0, timeout=20) as client:
        yield client
