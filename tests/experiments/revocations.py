"""Changes made in one process and met in every other: revoked keys, other plans, disabled accounts."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from llmrack import plans
from tests.support import made
from tests.support.clients import Answer

from .rig import Bench, Figures

# Each on a connection of its own, so that both workers are met.
TRIES = 4


def changes(rig: Bench, *, times: int = 100) -> Figures:
    """Revoke a key, change a plan, disable an account: from the next request on, on two workers."""
    slowest = max(_change_everything(rig, f"{rig.account}-{number}") for number in range(times))
    assert slowest <= 1.0
    return {"changes": 3 * times, "effective everywhere after s": round(slowest, 3)}


def _change_everything(rig: Bench, account: str) -> float:
    first, second = rig.key(account=account), rig.key(account=account)
    pro = plans.load(rig.folder / "instance" / "plans.toml").get("pro")
    for key in (first, second):
        assert _all(lambda key=key: rig.get(key), _is_ok)
    made.revoke(rig.store, first, datetime.now(UTC))
    revoked_s = _until(lambda: rig.get(first), _is_refused)
    made.put_on(rig.store, account, pro)
    changed_s = _until(lambda: rig.get(second), _is_pro)
    made.disable(rig.store, account, datetime.now(UTC))
    return max(revoked_s, changed_s, _until(lambda: rig.get(second), _is_refused))


def _is_ok(answer: Answer) -> bool:
    return answer.status == 200


def _is_refused(answer: Answer) -> bool:
    return answer.status == 401


def _is_pro(answer: Answer) -> bool:
    return answer.headers["x-ratelimit-limit-requests"] == "100"


def _all(ask: Callable[[], Answer], is_right: Callable[[Answer], bool]) -> bool:
    return all(is_right(answer) for answer in [ask() for _ in range(TRIES)])


def _until(ask: Callable[[], Answer], is_right: Callable[[Answer], bool]) -> float:
    """Seconds until every try is right; 0 when the first ones were."""
    started = time.monotonic()
    while True:
        asked_at = time.monotonic()
        if _all(ask, is_right):
            return asked_at - started
        assert time.monotonic() - started < 5
