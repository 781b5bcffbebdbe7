"""New requests while a server reloads or loses a worker, with streams held meanwhile."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

from .rig import Bench, Figures, at_once, finish, last_event

HELD = "hi [[fault:never_ends]][[pace:0.1]]"
EVERY_S = 0.04


def replace(rig: Bench, *, how: str, streams: int = 30, watch_s: float = 8, times: int = 1) -> Figures:
    """How long new requests, each on a connection of its own, wait around a HUP or the kill -9 of a worker."""
    key = rig.key()
    slowest, count, failed = [], 0, 0
    for _ in range(times):
        clients = at_once(streams, lambda _: rig.ask(key, HELD, stream=True)) if streams else []
        for client in clients:
            client.read_until(b"data: ")
        before = set(rig.server.worker_pids())
        with _asking(rig, key) as (waits, others):
            time.sleep(1)
            if how == "HUP":
                rig.server.signal(signal.SIGHUP)
            else:
                rig.server.kill_worker()
            time.sleep(watch_s)
        count, slowest = count + len(waits) + len(others), [*slowest, max(waits)]
        now = set(rig.server.worker_pids())
        assert now - before, "no worker is new"
        failed += len(others)
        for client in clients:
            # A reload ends every stream in a known way; a killed worker cuts its own, and the others go on.
            with client:
                assert how != "HUP" or last_event(finish(client)) == "error"
        # The old worker has gone, so that the next round begins as this one did.
        deadline = time.monotonic() + 40
        while len(rig.server.worker_pids()) > len(before) or (how == "HUP" and before & set(rig.server.worker_pids())):
            assert time.monotonic() < deadline, "the old worker is still there"
            time.sleep(0.1)
    return {
        "new requests": count,
        "failed": failed,
        "longest wait in seconds": [round(wait, 2) for wait in slowest],
        "streams held": streams,
    }


@contextlib.contextmanager
def _asking(rig: Bench, key: str):  # type: ignore[no-untyped-def]
    """Ask 25 times a second until the block ends; yields the seconds of whole answers, and what else came."""
    waits: list[float] = []
    others: list[str] = []
    is_over = threading.Event()

    def ask() -> None:
        started = time.monotonic()
        try:
            answer = rig.chat(key)
        except (AssertionError, OSError) as error:
            others.append(repr(error))
            return
        if (answer.status, answer.is_whole) == (200, True):
            waits.append(time.monotonic() - started)
        else:
            others.append(f"{answer.status} {answer.body!r}")

    with ThreadPoolExecutor(200) as pool:
        asked: list[Future[None]] = []

        def run() -> None:
            while not is_over.wait(EVERY_S):
                asked.append(pool.submit(ask))

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield waits, others
        finally:
            is_over.set()
            thread.join()
        for one in asked:
            one.result(30)
