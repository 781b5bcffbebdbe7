"""A database or a Redis that dies, hangs and comes back while requests keep coming."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

from tests.support.clients import Answer

from .rig import Bench, Figures


class Load:
    """Clients that ask without a pause and note what they were answered, and when."""

    def __init__(self, ask: Callable[[], Answer]) -> None:
        self._ask = ask
        self.answers: list[tuple[float, Answer]] = []
        self._is_over = False

    @contextlib.contextmanager
    def running(self, clients: int) -> Iterator[None]:
        threads = [threading.Thread(target=self._run) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over = True
            for thread in threads:
                thread.join(60)

    def _run(self) -> None:
        while not self._is_over:
            answer = self._ask()
            self.answers.append((time.monotonic(), answer))
            time.sleep(0.01 if answer.status == 200 else 0.05)

    def statuses(self) -> Counter[int]:
        return Counter(answer.status for _, answer in self.answers)

    def back_after(self, moment: float) -> float:
        """Seconds from `moment` to the first answer after which no other failed."""
        failed = [at for at, answer in self.answers if answer.status != 200 and at > moment]
        return max(failed, default=moment) - moment


def postgresql(rig: Bench, *, how: str = "kill", for_s: float = 10, clients: int = 8) -> Figures:
    """PostgreSQL killed and started again, or stopped for a time: never a 500, never an answer without its row."""
    assert rig.postgresql is not None
    key = rig.key()
    load = Load(lambda: rig.chat(key, max_tokens=5))
    with load.running(clients):
        time.sleep(1)
        if how == "kill":
            rig.postgresql.crash()
            time.sleep(min(for_s, 2))
            rig.postgresql.up()
        else:
            rig.postgresql.freeze(signal.SIGSTOP)
            time.sleep(for_s)
            rig.postgresql.freeze(signal.SIGCONT)
        back = time.monotonic()
        time.sleep(5)
    figures = _statuses(load, back, 5)
    _assert_metered(rig, load)
    return figures


def _assert_metered(rig: Bench, load: Load) -> None:
    rig.store.engine.dispose()
    rig.sweep_as_if_later()
    rig.wait_settled(15)
    rows = rig.rows()
    for _, answer in load.answers:
        if answer.status == 200:
            row = rows[answer.headers["x-request-id"]]
            assert row.outcome == "completed", row
            assert row.counted_completion_tokens == answer.json()["usage"]["completion_tokens"]
    assert rig.held() == 0
    rig.check_sums()


def redis(rig: Bench, *, how: str = "kill", for_s: float = 3, clients: int = 8) -> Figures:
    """Redis killed and started again, or stopped for a time: 503 only, and back within two seconds."""
    assert rig.redis is not None
    key = rig.key(mode="test")
    load = Load(lambda: rig.chat(key))
    with load.running(clients):
        time.sleep(1)
        if how == "kill":
            rig.redis.signal(signal.SIGKILL)
            rig.redis.wait()
            time.sleep(for_s)
            rig.redis.up()
        else:
            rig.redis.signal(signal.SIGSTOP)
            time.sleep(for_s)
            rig.redis.signal(signal.SIGCONT)
        back = time.monotonic()
        time.sleep(3)
    refused = [answer for _, answer in load.answers if answer.status == 503]
    assert refused
    assert all(answer.headers["retry-after"] == "1" for answer in refused)
    figures = _statuses(load, back, 2)
    rig.check_sums()
    return figures


def _statuses(load: Load, back: float, within_s: float) -> Figures:
    statuses = load.statuses()
    assert set(statuses) <= {200, 503}, statuses
    assert statuses[200]
    assert any(at > back and answer.status == 200 for at, answer in load.answers)
    took_s = load.back_after(back)
    assert took_s <= within_s, took_s
    return {"200": statuses[200], "503": statuses[503], "500": 0, "unmetered": 0, "back after s": round(took_s, 2)}
