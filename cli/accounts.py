"""`flask accounts`: people who sign in, made and looked after by the operator."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click
from flask import current_app
from flask.cli import AppGroup

from llmrack import deployment
from llmrack.accounts import accounts as service
from llmrack.accounts import audit, links, passwords, people, totp
from llmrack.accounts.people import Person
from llmrack.billing import subscriptions
from llmrack.errors import Unavailable
from llmrack.inference.context import AppContext

from .actor import actor

accounts = AppGroup("accounts", help="Make accounts for people, and look after them.")


def _rack() -> AppContext:
    context: AppContext = current_app.extensions["llmrack"]
    return context


@accounts.command("create")
@click.argument("email")
@click.option("--operator", is_flag=True, help="May see and change every account.")
@click.option("--plan", "plan_id", help="Put the account on this plan.")
@click.option("--password", help="Asked for when it is not given.")
def create(email: str, operator: bool, plan_id: str | None, password: str | None) -> None:
    """Make an account that signs in with EMAIL. Its address counts as confirmed."""
    context = _rack()
    password = password or _ask_password()
    plan = context.plans.get(plan_id) if plan_id else None
    if plan_id and plan is None:
        raise click.ClickException(f"There is no plan {plan_id}. Choose from {', '.join(context.plans.ids)}.")
    try:
        address, now = people.address(email), datetime.now(UTC)
        account_id = people.sign_up(
            context.store, address, password, now, is_operator=operator, is_verified=True, actor=actor()
        )
        if account_id is None:
            raise click.ClickException(f"{address} has an account already. `flask accounts operator` changes its role.")
        if plan is not None:
            subscriptions.set_plan(context.store, account_id, plan, "made with it", actor(), now)
    except (people.BadEmail, passwords.WeakPassword, Unavailable) as exc:
        raise click.ClickException(str(exc)) from exc
    role = ", an operator" if operator else ""
    click.echo(f"Made account {account_id}, {address}{role}. Sign in at {deployment.base_url(context.settings)}/login")


def _ask_password() -> str:
    if not sys.stdin.isatty():
        raise click.UsageError("Missing option '--password': there is no terminal here to ask for it.")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


@accounts.command("operator")
@click.argument("email")
@click.option("--remove", is_flag=True, help="Take the role away.")
def operator(email: str, remove: bool) -> None:
    """Make the person behind EMAIL an operator."""
    context = _rack()
    person = _person(context, email)
    people.set_operator(context.store, person.account_id, not remove, datetime.now(UTC), actor=actor())
    click.echo(f"{email} is {'no operator any more' if remove else 'an operator'}.")


@accounts.command("disable")
@click.argument("email")
@click.option("--reason", required=True, help="The account's owner reads it.")
def disable(email: str, reason: str) -> None:
    """Sign the person out everywhere and refuse every key of the account, from the next request on."""
    context = _rack()
    person = _person(context, email)
    service.disable(context.store, person.account_id, reason, datetime.now(UTC), actor=actor())
    click.echo(f"{email} is disabled.")


@accounts.command("enable")
@click.argument("email")
def enable(email: str) -> None:
    """Undo `disable`."""
    context = _rack()
    service.enable(context.store, _person(context, email).account_id, datetime.now(UTC), actor=actor())
    click.echo(f"{email} is enabled.")


@accounts.command("reset")
@click.argument("email")
@click.option("--second-factor", is_flag=True, help="Also switch the second factor off.")
def reset(email: str, second_factor: bool) -> None:
    """Print a link with which the person behind EMAIL chooses a new password: once, within ten minutes."""
    context = _rack()
    person = _person(context, email)
    now = datetime.now(UTC)
    if second_factor:
        totp.switch_off(context.store, person.account_id)
    token = links.make(context.store, person.account_id, links.RESET, person.email, now)
    detail = "and the second factor switched off" if second_factor else ""
    audit.note(context.store, audit.Act(actor(), "account.reset", person.account_id, detail), now)
    click.echo(f"{deployment.base_url(context.settings)}/reset/new?token={token}")


def _person(context: AppContext, email: str) -> Person:
    try:
        person = people.find(context.store, people.address(email))
    except (people.BadEmail, Unavailable) as exc:
        raise click.ClickException(str(exc)) from exc
    if person is None:
        raise click.ClickException(f"No person signs in with {email}.")
    return person
