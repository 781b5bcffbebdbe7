"""`flask billing` and `flask credits`: plans, credits, statements and payments at a terminal."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import click
from flask import current_app
from flask.cli import AppGroup

from llmrack import money
from llmrack.accounts import audit
from llmrack.accounts.accounts import NoSuchAccount
from llmrack.billing import credits, overview, statements, subscriptions, webhooks
from llmrack.billing.checkout import Billing
from llmrack.billing.overview import AccountLine
from llmrack.clients.provider import CURRENCY, NANOUSD_PER_CENT, PaymentGateway, ProviderAway
from llmrack.plans import Plan

from .actor import actor

billing = AppGroup("billing", help="Plans, statements, revenue and payments.")
credits_group = AppGroup("credits", help="Give credits, and look at them.")


def _till() -> Billing:
    payments: Billing = current_app.extensions["llmrack_till"]
    return payments


def _account(which: str) -> AccountLine:
    payments = _till()
    try:
        return overview.find(payments.store, payments.plans, which, datetime.now(UTC))
    except NoSuchAccount as error:
        raise click.ClickException(str(error)) from error


def _usd(text: str) -> int:
    try:
        amount = money.nanousd(text.removeprefix("-"))
    except ValueError as error:
        raise click.ClickException(f"The amount {error}.") from error
    return -amount if text.startswith("-") else amount


@credits_group.command("grant", context_settings={"ignore_unknown_options": True})
@click.argument("account")
@click.argument("usd")
@click.option("--reason", required=True, help="The account's owner reads it.")
def grant(account: str, usd: str, reason: str) -> None:
    """Give USD dollars of credits to ACCOUNT (name, address or id); a negative amount takes them back."""
    line = _account(account)
    try:
        credits.grant(_till().store, line.id, _usd(usd), reason, actor(), datetime.now(UTC))
    except credits.BadGrant as error:
        raise click.ClickException(str(error)) from error
    left = credits.balance(_till().store, line.id).left_nanousd
    click.echo(f"{line.name} has ${money.usd_text(left)} of credits.")


@credits_group.command("show")
@click.argument("account")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
def show(account: str, limit: int) -> None:
    """The balance of ACCOUNT and its last movements, the newest first."""
    line, store = _account(account), _till().store
    found = credits.balance(store, line.id)
    click.echo(
        f"{line.name}: ${money.usd_text(found.left_nanousd)}, of which ${money.usd_text(found.held_nanousd)} held"
    )
    for row in credits.entries(store, line.id, limit=limit):
        click.echo(f"  {row.day}  {row.kind:<8}  {money.usd_text(row.amount_nanousd):>16}  {row.reason} ({row.actor})")


@credits_group.command("check")
def check_ledger() -> None:
    """Compare every balance with the sum of its ledger."""
    try:
        count = credits.check(_till().store)
    except credits.UnequalLedger as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{count} balances equal the sums of their ledgers.")


@billing.command("plan")
@click.argument("account")
@click.argument("plan_id")
@click.option("--reason", required=True, help="Goes to the audit log.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The first day (UTC) without it; for good if absent.")
def set_plan(account: str, plan_id: str, reason: str, until: datetime | None) -> None:
    """Put ACCOUNT (name, address or id) on PLAN_ID from its next request on."""
    line, payments, now = _account(account), _till(), datetime.now(UTC)
    plan = payments.plans.get(plan_id)
    if plan is None:
        raise click.ClickException(f"There is no plan {plan_id}. Choose from {', '.join(payments.plans.ids)}.")
    ends_at = datetime.combine(until.date(), time(), UTC) if until else None
    if ends_at is not None and ends_at <= now:
        raise click.ClickException("--until must be a day to come.")
    subscriptions.set_plan(payments.store, line.id, plan, reason, actor(), now, ends_at)
    click.echo(f"{line.name} is on {plan.name}{f' until {ends_at:%Y-%m-%d}' if ends_at else ''}.")


@billing.command("show")
@click.argument("account")
def show_account(account: str) -> None:
    """The plan of ACCOUNT and how it came to it."""
    line = _account(account)
    until = f" until {line.plan_ends_at:%Y-%m-%d %H:%M} UTC" if line.plan_ends_at else ""
    click.echo(f"{line.name}: {line.plan.name}{until}, ${money.usd_text(line.left_nanousd)} of credits")
    for row in subscriptions.history(_till().store, line.id):
        click.echo(f"  from {row.starts_at:%Y-%m-%d %H:%M}  {row.plan_id or 'default':<10}  {row.reason} ({row.actor})")


@billing.command("statement")
@click.argument("account")
@click.argument("month")
def statement(account: str, month: str) -> None:
    """What MONTH (2026-11) came to for ACCOUNT."""
    line, store = _account(account), _till().store
    try:
        found = statements.of(store, line.id, statements.parse(month, datetime.now(UTC)))
    except statements.BadMonth as error:
        raise click.ClickException(str(error)) from error
    rows = [("opening balance", found.opening_nanousd)]
    rows += [(f"{row.day} {row.kind}: {row.reason}", row.amount_nanousd) for row in found.movements]
    rows += [(f"{row.model_id}, {row.requests:,} requests", -row.charged_nanousd) for row in found.models]
    rows += [("closing balance", found.closing_nanousd)]
    rows += [(f"{fee.day} plan, invoice {fee.number}", fee.amount_cents * NANOUSD_PER_CENT) for fee in found.fees]
    width = max(len(label) for label, _ in rows)
    for label, amount in rows:
        click.echo(f"{label:<{width}}  {money.usd_text(amount):>18}")
    click.echo(f"{found.requests:,} requests, worth ${money.usd_text(found.cost_nanousd)}.")


@billing.command("revenue")
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3660))
def revenue(days: int) -> None:
    """What came in by day, and what was used by day and model."""
    today, store = datetime.now(UTC).date(), _till().store
    first, last = (today - timedelta(days=days - 1)).isoformat(), today.isoformat()
    click.echo("DAY         PLANS           CREDITS         REFUNDED        TOGETHER")
    for row in overview.revenue(store, first, last):
        sums = (row.plans_nanousd, row.credits_nanousd, row.refunded_nanousd, row.total_nanousd)
        click.echo(f"{row.day}  " + "  ".join(f"{money.usd_text(amount):<14}" for amount in sums).rstrip())
    click.echo("\nDAY         MODEL                 REQUESTS      TOKENS          WORTH")
    for used in overview.usage(store, first, last):
        tokens = used.prompt_tokens + used.completion_tokens
        worth = money.usd_text(used.cost_nanousd)
        click.echo(f"{used.day}  {used.model_id:<20}  {used.requests:<12,}  {tokens:<14,}  {worth}")


@billing.command("audit")
@click.option("--account", help="Only what was about this one.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
def show_audit(account: str | None, limit: int) -> None:
    """Who changed what, the newest first."""
    account_id = _account(account).id if account else None
    for act in audit.entries(_till().store, account_id=account_id, limit=limit):
        about = f" {act.account}" if act.account else ""
        click.echo(f"{act.at:%Y-%m-%d %H:%M:%S}  {act.actor}  {act.action}{about}  {act.detail}".rstrip())


@billing.command("events")
def events() -> None:
    """What Stripe's webhook must be told to send, and where."""
    site = current_app.extensions["llmrack"].settings.public_url.rstrip("/") or "<public URL>"
    click.echo(f"Endpoint: {site}/webhooks/stripe")
    for name in webhooks.EVENT_TYPES:
        click.echo(f"  {name}")


@billing.command("check")
def check() -> None:
    """Compare the prices at Stripe with the plans here."""
    payments = _till()
    if payments.shop is None:
        raise click.ClickException("No payments are configured. Set LLMRACK_STRIPE_SECRET_KEY.")
    problems = [problem for plan in payments.plans if (problem := _problem(payments.shop, plan))]
    for problem in problems:
        click.echo(problem)
    if problems:
        raise click.ClickException("What is paid would not be what is shown.")
    click.echo("Every plan that can be bought costs at Stripe what it costs here.")


def _problem(shop: PaymentGateway, plan: Plan) -> str:
    if not plan.monthly_nanousd:
        return ""
    if plan.id not in shop.prices:
        return f"{plan.id}: no price in LLMRACK_STRIPE_PRICES, so it cannot be bought"
    try:
        price = shop.provider.price(shop.prices[plan.id])
    except ProviderAway as error:
        return f"{plan.id}: {error}"
    wanted = (plan.monthly_nanousd // NANOUSD_PER_CENT, CURRENCY, "month", True)
    found = (price.amount_cents, price.currency, price.interval, price.is_active)
    return "" if wanted == found else f"{plan.id}: {price.id} is {found} at Stripe, and {wanted} here"


@billing.command("sync")
@click.argument("account", required=False)
def sync(account: str | None) -> None:
    """Read the subscription of ACCOUNT from Stripe, or those whose period ended without word."""
    payments, now = _till(), datetime.now(UTC)
    ids = [_account(account).id] if account else webhooks.overdue(payments.store, now)
    for account_id in ids:
        try:
            click.echo(f"account {account_id}: {webhooks.sync(payments, account_id, now)}")
        except (ProviderAway, subscriptions.Stale) as error:
            raise click.ClickException(str(error)) from error
    if not ids:
        click.echo("Every subscription is up to date.")
