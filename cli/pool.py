"""`flask pool`: planning how many machines a crowd needs."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import AppGroup

from llmrack.pool import simulation

pool = AppGroup("pool", help="Several Ollamas behind one queue.")


@pool.command("simulate", with_appcontext=False)
@click.argument("scenario", type=click.Path(path_type=Path))
def simulate(scenario: Path) -> None:
    """Play a described fleet: who would wait for how long, beside the same crowd served first come, first served."""
    try:
        described = simulation.read(scenario)
    except simulation.BadScenario as exc:
        raise click.ClickException(str(exc)) from exc
    fair, line = simulation.play(described), simulation.play(described, is_fair=False)
    width = max(len("callers"), *(len(waits.name) for waits in fair.callers))
    click.echo(f"{described.minutes:g} minutes, seconds of waiting for a slot:\n")
    click.echo(f"{'callers':<{width}}  requests  refused  timed out     p50     p99 | first come: p50     p99")
    for ours, theirs in zip(fair.callers, line.callers, strict=True):
        click.echo(
            f"{ours.name:<{width}}  {ours.requests:>8}  {ours.refused:>7}  {ours.timed_out:>9}"
            f"  {ours.quantile_s(0.5):>6.1f}  {ours.quantile_s(0.99):>6.1f}"
            f" | {theirs.quantile_s(0.5):>15.1f}  {theirs.quantile_s(0.99):>6.1f}"
        )
    click.echo(
        f"\n{fair.slots} slots, {fair.busy_share:.0%} busy; these requests need {fair.slots_needed:.1f} that are always"
        f" busy.\n{fair.answers_per_minute:.1f} answers a minute (first come, first served: "
        f"{line.answers_per_minute:.1f}), {fair.loads_per_hour:.1f} loads an hour ({line.loads_per_hour:.1f})."
    )
