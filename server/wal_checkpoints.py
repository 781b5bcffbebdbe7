"""Keeps SQLite's write-ahead log short without stopping the worker: a checkpoint waits for the disk, up to 30 ms."""

from __future__ import annotations

import logging
import threading
import time

import gevent

from llmrack.store.database import Store

log = logging.getLogger(__name__)

INTERVAL_S = 1.0


def start(store: Store) -> None:
    """Checkpoint every second in a thread of the operating system, which the other greenlets need not wait for."""
    if store.dialect == "sqlite":
        threading.Thread(target=_run, args=(store,), name="checkpoints", daemon=True).start()


def _run(store: Store) -> None:
    while True:
        time.sleep(INTERVAL_S)
        try:
            gevent.get_hub().threadpool.apply(store.checkpoint)
        except Exception as error:
            # Nothing is lost by a log that grows for a while; the belt in the store cuts it.
            log.warning("a checkpoint failed: %s", error)
