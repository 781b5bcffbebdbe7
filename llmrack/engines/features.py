"""What the engine in use can do beyond the fixed rows, learnt in the background."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

from ..errors import ApiError
from ..wire.parsed import Features
from .base import Engine

# The first Ollama with log-probabilities (its release notes).
LOGPROBS_SINCE = (0, 12, 11)
KEPT_S = 60.0


class Probe:
    """The features of one engine, asked again after a minute while the known ones hold.

    An engine that does not answer keeps what it had; one that was never asked is taken for a new one.
    """

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
            # A request that asked by itself would wait for a busy Ollama without a ping to its client.
            threading.Thread(target=self._ask, name="engine-features", daemon=True).start()
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
