"""`flask usage`: keeping the usage table small."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
from flask import current_app
from flask.cli import AppGroup

from llmrack.errors import Unavailable
from llmrack.inference.context import AppContext
from llmrack.metering import usage as service

from .actor import actor

usage = AppGroup("usage", help="Keep the table of requests small.")


@usage.command("prune")
@click.option("--older-than-days", "days", type=click.IntRange(min=1), default=90, show_default=True)
@click.option("--dry-run", is_flag=True, help="Check the sums and count the rows, but remove nothing.")
def prune(days: int, dry_run: bool) -> None:
    """Remove requests of days long past. Their sums by day, model and key stay; their receipts go."""
    context: AppContext = current_app.extensions["llmrack"]
    now = datetime.now(UTC)
    before = (now.date() - timedelta(days=days)).isoformat()
    try:
        count = service.prune(context.store, before, now, actor=actor(), is_trial=dry_run)
    except (service.UnequalSums, Unavailable) as exc:
        raise click.ClickException(str(exc)) from exc
    click.echo(f"{'Would remove' if dry_run else 'Removed'} {count} requests from before {before}. All sums stay.")
