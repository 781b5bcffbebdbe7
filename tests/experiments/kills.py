"""Requests of many accounts on one pool, killed at random moments. Run as a program, because it patches itself first.

`python -m tests.experiments.kills URL COUNT` prints {"requests": ..., "killed": ...} or fails.
"""

# ruff: noqa: E402
from gevent import monkey

monkey.patch_all()

import json
import random
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import gevent

from llmrack.errors import Unavailable
from llmrack.keys import authentication
from llmrack.metering.meter import Meter, Settlement
from llmrack.plans import Plans
from llmrack.store.database import Store
from llmrack.store.tables.base import Base
from tests.support import made
from tests.support.stores import Clock, Desk, opened

ACCOUNTS = 50
AT_A_TIME = 100


class Crowd:
    """Requests as a worker would run them: look the key up, admit, checkpoint, settle."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.meter = Meter(store)
        self.desk = Desk(store, self.meter, Clock())
        # A killed request may leave its row to the sweeper, so the limit on open requests must not be met here.
        wide = [replace(plan, concurrent_requests=10**6) for plan in self.desk.plans]
        self.desk.plans = Plans(tuple(wide))
        self.wide = self.desk.plans.get("business")
        self.secrets: dict[int, str] = {}
        self.wrong = self.finished = self.away = 0
        for number in range(ACCOUNTS):
            account = made.account(store, f"a{number}", datetime.now(UTC), self.wide)
            issued = made.key(store, name="k", mode="live", account=account.name)
            self.secrets[account.id] = issued.secret

    def request(self, account_id: int) -> None:
        try:
            caller = authentication.resolve(self.store, self.desk.plans, self.secrets[account_id], datetime.now(UTC))
            admission = self.desk.admission(caller, 1, 1)
            self.meter.admit(admission)
            self.meter.checkpoint(admission.request_id, 1, 0)
            self.meter.settle(admission.request_id, Settlement("completed", 1, 1))
        except Unavailable:
            self.away += 1
            return
        self.wrong += caller.account_id != account_id
        self.finished += 1


def run(url: str, count: int) -> dict[str, Any]:
    rng = random.Random(5)
    with opened(url) as store:
        Base.metadata.create_all(store.engine)
        crowd = Crowd(store)
        killed = 0
        for _ in range(0, count, AT_A_TIME):
            running = [gevent.spawn(crowd.request, rng.choice(list(crowd.secrets))) for _ in range(AT_A_TIME)]
            doomed = rng.sample(running, AT_A_TIME // 2)
            for greenlet in doomed:
                gevent.spawn_later(rng.random() * 0.15, greenlet.kill, block=False)
            gevent.joinall(running, timeout=60)
            killed += sum(isinstance(greenlet.value, gevent.GreenletExit) for greenlet in running)
        assert crowd.wrong == 0
        # On SQLite nothing waits inside a request, so a kill meets few of them.
        assert killed > (count // 20 if store.dialect == "postgresql" else 0)
        healthy = crowd.finished
        gevent.joinall([gevent.spawn(crowd.request, id_) for id_ in [*crowd.secrets] * 4], timeout=60)
        assert crowd.finished - healthy == 4 * ACCOUNTS
        crowd.meter.heartbeat()
        later = Clock(datetime.now(UTC))
        later.forward(seconds=60)
        Meter(store, clock=later).sweep()
        while Meter(store, clock=later).sweep():
            pass
        crowd.desk.check_sums()
        held = {day.held_tokens for day in crowd.desk.days()}
        assert held == {0}
    return {
        "requests": count,
        "killed": killed,
        "refused with 503": crowd.away,
        "of another account": 0,
        "healthy after": f"{4 * ACCOUNTS}/{4 * ACCOUNTS}",
    }


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]))))
