"""`flask keys`: make, list and revoke API keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
from flask import current_app
from flask.cli import AppGroup

from llmrack import permissions as rights
from llmrack.accounts import accounts
from llmrack.billing import overview, subscriptions
from llmrack.errors import Unavailable
from llmrack.inference.context import AppContext
from llmrack.keys import keys as service
from llmrack.plans import Plan

from .actor import actor

keys = AppGroup("keys", help="Make, list and revoke API keys.")


def _rack() -> AppContext:
    context: AppContext = current_app.extensions["llmrack"]
    return context


@keys.command("create")
@click.option("--name", required=True, help="What the key is for, to tell it from others.")
@click.option("--mode", type=click.Choice(["live", "test"]), default="live", show_default=True)
@click.option("--permissions", default=rights.ALL, show_default=True, help="Names joined by commas.")
@click.option(
    "--expires-in-days", type=click.IntRange(min=1), help="Days until the key stops working; never if absent."
)
@click.option("--account", default=accounts.LOCAL, show_default=True, help="Whose limits count; made if it is new.")
@click.option("--plan", "plan_id", help="Put the account on this plan.")
def create(
    name: str, mode: str, permissions: str, expires_in_days: int | None, account: str, plan_id: str | None
) -> None:
    """Make a key. Its secret is the last line, and is shown this once."""
    context, now = _rack(), datetime.now(UTC)
    plan = _plan(context, plan_id)
    names = tuple(part.strip() for part in permissions.split(",") if part.strip())
    try:
        rights.expand(names)
        owner = accounts.ensure(context.store, account, now, plan, actor=actor())
        if plan is not None:
            subscriptions.set_plan(context.store, owner.id, plan, f"for the key {name}", actor(), now)
        issued = service.issue(
            context.store,
            owner.id,
            now,
            actor=actor(),
            name=name,
            mode=mode,
            permissions=names,
            expires_at=now + timedelta(days=expires_in_days) if expires_in_days else None,
            most=None,
        )
    except (ValueError, Unavailable) as exc:
        raise click.ClickException(str(exc)) from exc
    _say(context, issued.key)
    click.echo("The secret is shown only now; the server keeps a hash of it.")
    click.echo(issued.secret)


def _plan(context: AppContext, plan_id: str | None) -> Plan | None:
    if plan_id is None:
        return None
    plan = context.plans.get(plan_id)
    if plan is None:
        raise click.ClickException(f"There is no plan {plan_id}. Choose from {', '.join(context.plans.ids)}.")
    return plan


def _say(context: AppContext, key: service.KeyFacts) -> None:
    plan = overview.find(context.store, context.plans, key.account, datetime.now(UTC)).plan
    for label, value in (
        ("id", key.id),
        ("name", key.name),
        ("mode", key.mode),
        ("account", f"{key.account} (plan {plan.id})"),
        ("permissions", ", ".join(key.permissions)),
        ("expires", _when(key.expires_at)),
    ):
        click.echo(f"{label:<12} {value}")


@keys.command("list")
def list_keys() -> None:
    """Show every key; of a secret, only its ends."""
    try:
        found = service.list_all(_rack().store)
    except Unavailable as exc:
        raise click.ClickException(str(exc)) from exc
    if not found:
        click.echo("There is no key yet. Make one: flask keys create --name NAME")
        return
    now = datetime.now(UTC)
    head = ("ID", "NAME", "KEY", "MODE", "STATE", "ACCOUNT", "PERMISSIONS", "CREATED", "LAST USED", "EXPIRES")
    rows = [head, *(_row(key, now) for key in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _row(key: service.KeyFacts, now: datetime) -> tuple[str, ...]:
    return (
        str(key.id),
        key.name,
        key.redacted,
        key.mode,
        key.state(now),
        key.account,
        ",".join(key.permissions),
        _when(key.created_at),
        _when(key.last_used_at),
        _when(key.expires_at),
    )


def _when(at: datetime | None) -> str:
    return "never" if at is None else at.strftime("%Y-%m-%d %H:%M UTC")


@keys.command("revoke")
@click.argument("which")
@click.option("--reason", help="The key's owner reads it.")
def revoke(which: str, reason: str | None) -> None:
    """Refuse a key from the next request on. WHICH is its id, its name, or how it starts."""
    try:
        context, now = _rack(), datetime.now(UTC)
        found = service.find(context.store, which)
        key = service.revoke(context.store, found.account_id, found.id, now, actor=actor(), reason=reason)
    except (service.NoSuchKey, Unavailable) as exc:
        raise click.ClickException(str(exc)) from exc
    click.echo(f"Revoked key {key.id}, {key.name} ({key.redacted}).")
