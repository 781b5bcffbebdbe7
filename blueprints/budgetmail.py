"""Sends the mails about daily budgets from a thread of each worker; the database sees to it that each goes out once."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime

from flask import Flask

from llmrack.errors import Unavailable
from llmrack.services import notices
from llmrack.services.rack import Rack

from . import mail

log = logging.getLogger(__name__)

INTERVAL_S = 30.0


def start(app: Flask) -> None:
    """One thread (a greenlet under gevent) that lives as long as the worker."""
    threading.Thread(target=_run, args=(app,), name="budget mail", daemon=True).start()


def _run(app: Flask) -> None:
    while True:
        time.sleep(INTERVAL_S)
        try:
            send_due(app, datetime.now(UTC))
        except Unavailable:
            # Said in the log already; the next round tries again.
            pass
        except Exception:
            log.exception("the mails about budgets failed")


def send_due(app: Flask, now: datetime) -> int:
    """How many mails went out."""
    rack: Rack = app.extensions["llmrack"]
    found = notices.due(rack.store, rack.plans, now)
    with app.app_context():
        for notice in found:
            mail.send(
                "budget", notice.email, percent=notice.percent, used=notice.used, limit=notice.limit, day=notice.day
            )
    notices.tidy(rack.store, now)
    return len(found)
