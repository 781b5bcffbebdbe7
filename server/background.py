"""What a thread of each worker does now and then: mails about daily budgets, which the database lets go out once, and
pruning."""

from __future__ import annotations

import logging
import math
import threading
import time
from datetime import UTC, datetime

from flask import Flask

from blueprints.extensions import context, mailer
from blueprints.web import mail
from llmrack.accounts import pruning
from llmrack.errors import Unavailable
from llmrack.inference.context import AppContext
from llmrack.metering import budget_alerts

log = logging.getLogger(__name__)

INTERVAL_S = 30.0
PRUNING_INTERVAL_S = 3600.0


def start(app: Flask) -> None:
    """One thread (a greenlet under gevent) that lives as long as the worker."""
    threading.Thread(target=_run, args=(app,), name="budget mail", daemon=True).start()


def _run(app: Flask) -> None:
    pruned_at = -math.inf
    while True:
        time.sleep(INTERVAL_S)
        now = datetime.now(UTC)
        try:
            send_due(app, now)
            if time.monotonic() - pruned_at > PRUNING_INTERVAL_S:
                pruned_at = time.monotonic()
                prune(app, now)
        except Unavailable:
            # Said in the log already; the next round tries again.
            pass
        except Exception:
            log.exception("the mails about budgets, or pruning, failed")


def send_due(app: Flask, now: datetime) -> int:
    """How many mails went out."""
    context: AppContext = app.extensions["llmrack"]
    found = budget_alerts.due(context.store, context.plans, now)
    with app.app_context():
        for notice in found:
            mail.send(
                "budget", notice.email, percent=notice.percent, used=notice.used, limit=notice.limit, day=notice.day
            )
    return len(found)


def prune(app: Flask, now: datetime) -> None:
    with app.app_context():
        pruning.prune(context.store, now, has_mail=mailer.is_configured)
