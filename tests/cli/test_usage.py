"""`flask usage` as an operator types it."""

from datetime import UTC, datetime, timedelta

from flask import Flask
from sqlalchemy import update

from llmrack.accounts import audit
from llmrack.keys import authentication
from llmrack.metering.meter import Admission, Settlement
from llmrack.store.tables.usage import Usage, UsageDay
from tests.support import made

from .test_keys import app

__all__ = ["app"]


def use_once(app: Flask, days_ago: int) -> None:
    context = app.extensions["llmrack"]
    issued = made.key(context.store, name="k", mode="live")
    caller = authentication.resolve(context.store, context.plans, issued.secret, datetime.now(UTC))
    request_id = f"req_{issued.key.id}"
    context.meter.admit(Admission(request_id, caller, "chat", context.catalog.get("phi-3-mini"), 1, 1, None, False))
    context.meter.settle(request_id, Settlement("completed", 1, 1))
    day = (datetime.now(UTC).date() - timedelta(days=days_ago)).isoformat()
    with context.store.write() as connection:
        connection.execute(update(Usage).where(Usage.request_id == request_id).values(day=day))
        connection.execute(update(UsageDay).where(UsageDay.key_id == issued.key.id).values(day=day))


def test_prune_removes_what_is_older_than_it_is_told(app: Flask) -> None:
    for days_ago in (0, 50, 100):
        use_once(app, days_ago)
    run = app.test_cli_runner()
    assert run.invoke(args=["usage", "prune", "--dry-run"]).output.startswith("Would remove 1 requests")
    assert run.invoke(args=["usage", "prune"]).output.startswith("Removed 1 requests")
    assert run.invoke(args=["usage", "prune", "--older-than-days", "49"]).output.startswith("Removed 1 requests")
    assert run.invoke(args=["usage", "prune", "--older-than-days", "0"]).exit_code == 2


def test_what_prune_removed_is_in_the_audit_log(app: Flask) -> None:
    use_once(app, 100)
    run, store = app.test_cli_runner(), app.extensions["llmrack"].store
    run.invoke(args=["usage", "prune", "--dry-run"])
    assert audit.entries(store, action="usage.prune") == []
    run.invoke(args=["usage", "prune"])
    (act,) = audit.entries(store, action="usage.prune")
    assert act.actor.startswith("terminal:")
    assert act.detail.startswith("1 requests of ")


def test_prune_stops_at_a_day_that_does_not_add_up(app: Flask) -> None:
    use_once(app, 100)
    with app.extensions["llmrack"].store.write() as connection:
        connection.execute(update(UsageDay).values(cost_nanousd=1))
    done = app.test_cli_runner().invoke(args=["usage", "prune"])
    assert (done.exit_code, "its total says" in done.output) == (1, True)
