"""What the engine in use can do beyond the fixed rows, found out now and then and never in the way of a request."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from ..engines.base import Engine
from ..errors import ApiError
from ..wire.asks import Features

# The first Ollama with log-probabilities (its release notes).
LOGPROBS_SINCE = (0, 12, 11)
KEPT_S = 60.0


class Probe:
    """The features of one engine, asked again after a minute. An engine that does not answer keeps what it had."""

    def __init__(self, engine: Engine, *, image_urls: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._features = Features(image_urls=image_urls)
        self._asked_at = float("-inf")

    def features(self) -> Features:
        now = self._clock()
        if now - self._asked_at >= KEPT_S:
            # Set first: requests that come meanwhile must not all ask.
            self._asked_at = now
            self._ask()
        return self._features

    def _ask(self) -> None:
        try:
            version = self._engine.version()
        except ApiError:
            return
        self._features = Features(logprobs=has_logprobs(version), image_urls=self._features.image_urls)


def has_logprobs(version: str) -> bool:
    """Whether an Ollama of this version gives log-probabilities; a version without numbers is taken for a new one."""
    numbers = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    return numbers is None or tuple(int(number) for number in numbers.groups()) >= LOGPROBS_SINCE
