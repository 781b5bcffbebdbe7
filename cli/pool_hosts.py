"""`flask pool add|set|list|drain|resume|remove`: the hosts, changed while a server is running."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from flask import current_app

from llmrack.errors import Unavailable
from llmrack.inference.context import AppContext
from llmrack.pool.hosts import OFF, BadHost, HostRow, Hosts
from llmrack.pool.pool import Pool

from .actor import actor
from .pool import pool

# The group with `simulate` of the other file and all of these.
__all__ = ["pool"]

POLL_S = 0.25
LIMIT = click.IntRange(1, 1024)


def _hosts() -> Hosts:
    context: AppContext = current_app.extensions["llmrack"]
    live = context.engines.live
    if not isinstance(live, Pool):
        raise click.ClickException(
            "LLMRACK_OLLAMA_PARALLEL is not set, so every request goes on to LLMRACK_OLLAMA_URL at once. Set it to what"
            " OLLAMA_NUM_PARALLEL is there, and restart the server."
        )
    return live.hosts


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (BadHost, Unavailable) as exc:
        raise click.ClickException(str(exc)) from exc


@pool.command("add")
@click.argument("name")
@click.argument("url")
@click.option("--slots", type=LIMIT, help="Requests at a time for one model; as LLMRACK_OLLAMA_PARALLEL if left out.")
@click.option("--max-loaded", type=LIMIT, help="Models in memory; as LLMRACK_OLLAMA_MAX_LOADED if left out.")
def add(name: str, url: str, slots: int | None, max_loaded: int | None) -> None:
    """Add the Ollama at URL. A running server uses it within two seconds."""
    hosts = _hosts()
    row = HostRow(name, url, slots or hosts.slots, max_loaded or hosts.max_loaded)
    with _explained():
        hosts.add(row, actor(), datetime.now(UTC))
    click.echo(f"Added {name}: slots {row.slots}, models in memory {row.max_loaded}.")


@pool.command("set")
@click.argument("name")
@click.option("--slots", type=LIMIT, help="Requests at a time for one model.")
@click.option("--max-loaded", type=LIMIT, help="Models in memory.")
def change(name: str, slots: int | None, max_loaded: int | None) -> None:
    """Tell other limits of a host."""
    if slots is None and max_loaded is None:
        raise click.UsageError("Say what to change: --slots, --max-loaded or both.")
    with _explained():
        row = _hosts().change(name, slots=slots, max_loaded=max_loaded, actor=actor(), now=datetime.now(UTC))
    click.echo(f"{name}: slots {row.slots}, models in memory {row.max_loaded}.")


@pool.command("list")
def show() -> None:
    """Every host with its state, its limits and where its address is written."""
    with _explained():
        rows = _hosts().all()
    width = max(len("name"), *(len(row.name) for row in rows))
    click.echo(f"{'name':<{width}}  state     slots  max loaded  source    url")
    for row in rows:
        click.echo(
            f"{row.name:<{width}}  {row.state:<8}  {row.slots:>5}  {row.max_loaded:>10}  {row.source:<8}  {row.url}"
        )


@pool.command("drain")
@click.argument("name")
@click.option("--wait", is_flag=True, help="Return when the host has answered everything it had.")
@click.option("--timeout-s", type=click.IntRange(1, 86_400), default=600, show_default=True, help="Wait no longer.")
def drain(name: str, wait: bool, timeout_s: int) -> None:
    """Give a host no new requests; those that it has go on to their end."""
    hosts, give_up_at = _hosts(), time.monotonic() + timeout_s
    with _explained():
        hosts.drain(name, actor(), datetime.now(UTC))
        while wait and (state := hosts.get(name).state) != OFF:
            if time.monotonic() >= give_up_at:
                raise click.ClickException(
                    f"{name} is still {state} after {timeout_s} seconds. Only a running server sees its requests end."
                )
            time.sleep(POLL_S)
    click.echo(f"{name}: 0 active" if wait else f"{name} gets no new requests.")


@pool.command("resume")
@click.argument("name")
def resume(name: str) -> None:
    """Give a drained host requests again."""
    with _explained():
        _hosts().resume(name, actor(), datetime.now(UTC))
    click.echo(f"{name} gets requests again.")


@pool.command("remove")
@click.argument("name")
@click.option("--force", is_flag=True, help="Although it is not drained, for instance while no server is running.")
def remove(name: str, force: bool) -> None:
    """Remove a host that is drained. Those of LLMRACK_OLLAMA_URL are taken out there."""
    with _explained():
        _hosts().remove(name, actor(), datetime.now(UTC), is_forced=force)
    click.echo(f"Removed {name}.")
