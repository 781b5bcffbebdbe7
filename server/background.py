"""What a worker does beside requests: a thread (a greenlet under gevent) for each job."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import gevent
from flask import Flask

from blueprints.extensions import context, mailer
from blueprints.web import mail
from llmrack.accounts import pruning
from llmrack.errors import Unavailable
from llmrack.inference.context import AppContext
from llmrack.metering import budget_alerts
from llmrack.metering.meter import Meter
from llmrack.monitoring import rows
from llmrack.monitoring.figures import Figures
from llmrack.pool.pool import Pool

log = logging.getLogger(__name__)

# Four beats in a lease: rows of a live worker never come near their end, those of a dead one are found soon after it.
BEAT_S = 5.0
CHECKPOINT_S = 1.0
BUDGET_MAIL_S = 30.0
PRUNING_S = 3600.0
LAG_TIMER_S = 0.1


class Job:
    """Calls `work` when it starts and then every `seconds`, whatever it raises, until it is stopped."""

    # Where jobs note when they last succeeded.
    figures: Figures | None = None

    def __init__(self, name: str, seconds: float, work: Callable[[], object]) -> None:
        self._name = name
        self._seconds = seconds
        self._work = work
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> Job:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Work once more, so that nothing is left undone, and end."""
        self._is_stopped.set()
        self._thread.join()
        self._work_once()

    def _run(self) -> None:
        while True:
            self._work_once()
            if self._is_stopped.wait(self._seconds):
                return

    def _work_once(self) -> None:
        try:
            self._work()
            if self.figures is not None:
                self.figures.set(rows.JOB_LAST, (self._name,), time.time())
        except Unavailable:
            # Said in the log already; the next round tries again.
            pass
        except Exception:
            log.exception("%s failed", self._name)


def start_all(app: Flask) -> None:
    """Only in a process that serves requests. They live as long as it does."""
    mine: AppContext = app.extensions["llmrack"]
    if (figures := mine.figures) is not None:
        Job.figures = figures
        threading.Thread(target=measure_lag, args=(figures,), name="hub lag", daemon=True).start()
    Job("the meter's beat", BEAT_S, lambda: beat(mine.meter, lambda: mine.refusals.flush(mine.store))).start()
    Job("mailing about budgets", BUDGET_MAIL_S, lambda: send_budget_mails(app, datetime.now(UTC))).start()
    Job("pruning", PRUNING_S, lambda: prune(app, datetime.now(UTC))).start()
    if isinstance(mine.engines.live, Pool):
        mine.engines.live.start()
    if mine.store.dialect == "sqlite":
        # It waits for the disk, up to 30 ms: in a thread of the operating system, so that the greenlets go on. Nothing
        # is lost by a log that grows for a while; the belt in the store cuts it.
        checkpoint = mine.store.checkpoint
        Job("a checkpoint", CHECKPOINT_S, lambda: gevent.get_hub().threadpool.apply(checkpoint)).start()


def measure_lag(figures: Figures) -> None:
    """How late this worker's timers fire, for as long as it lives."""
    while True:
        asked_at = time.perf_counter()
        time.sleep(LAG_TIMER_S)
        figures.observe(rows.HUB_LAG, (), max(0.0, time.perf_counter() - asked_at - LAG_TIMER_S))


def beat(meter: Meter, also: Callable[[], None] = lambda: None) -> None:
    """Renew what this process is answering, settle what a dead one left, and write what waits for a batch."""
    meter.heartbeat()
    meter.sweep()
    also()


def send_budget_mails(app: Flask, now: datetime) -> int:
    """How many mails went out. The database sees to it that each goes out once, whichever worker is first."""
    mine: AppContext = app.extensions["llmrack"]
    found = budget_alerts.due(mine.store, mine.plans, now)
    with app.app_context():
        for notice in found:
            mail.send(
                "budget", notice.email, percent=notice.percent, used=notice.used, limit=notice.limit, day=notice.day
            )
    return len(found)


def prune(app: Flask, now: datetime) -> None:
    with app.app_context():
        pruning.prune(context.store, now, has_mail=mailer.is_configured)
