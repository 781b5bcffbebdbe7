"""`flask prepare`: what script/server does before it serves, and what it tells the person who started it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from urllib.parse import urlsplit

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_migrate import upgrade

from llmrack import deployment, outbox
from llmrack.accounts import accounts, first_operator
from llmrack.catalog import Model, full_tag
from llmrack.engines import memory_fit
from llmrack.engines.base import Engine
from llmrack.engines.memory_fit import Fit
from llmrack.errors import ApiError, CannotStart, Unavailable
from llmrack.inference.context import AppContext
from llmrack.keys import keys
from llmrack.setting_values import separated
from llmrack.store import opening

from .actor import actor


@click.command()
@with_appcontext
def prepare() -> None:
    """Migrate the database, then say where the site is, which models are there, and how to make a first request."""
    try:
        with opening.explained(current_app.config["SQLALCHEMY_DATABASE_URI"]):
            upgrade()
            _say(current_app.extensions["llmrack"])
    except (CannotStart, Unavailable, click.ClickException) as error:
        click.echo(f"LLMRack cannot start: {error}", err=True)
        sys.exit(1)


def _say(context: AppContext) -> None:
    base_url = deployment.base_url(context.settings)
    click.echo(f"\nLLMRack: {base_url}    API: {base_url}/v1\n")
    if outbox.is_open(context.settings):
        token = outbox.token(current_app.config["SECRET_KEY"])
        click.echo(f"Mails are not sent here; on this machine they are at {base_url}/outbox?token={token}\n")
    _say_first_operator(context, base_url)
    _say_models(context)
    if context.settings.environment != "production" and not keys.exists(context.store):
        _say_first_key(context, base_url)
    else:
        click.echo("Keys are shown once, when they are made.")
    click.echo("More keys: .venv/bin/flask keys create --name NAME --mode live (or test)\n")


def _say_first_operator(context: AppContext, base_url: str) -> None:
    token = first_operator.link(context.store, datetime.now(UTC), actor=actor())
    if token is not None:
        click.echo("This server has no operator yet. Open this link to become the operator (once, within an hour):")
        click.echo(f"  {base_url}/first-operator?token={token}\n")


def _say_models(context: AppContext) -> None:
    engine, url = context.engines.live, context.settings.ollama_url
    try:
        version, missing = engine.version(), _missing(engine, list(context.catalog))
    except ApiError:
        click.echo(f"No Ollama answers at {url}. Test keys work without one; live keys get a clear 502 until it does.")
        click.echo("  Get it from ollama.com, or name another with LLMRACK_OLLAMA_URL.\n")
        return
    click.echo(f"Ollama {version} answers at {url}.")
    width = max(len(model.id) for model in context.catalog)
    for model in context.catalog:
        state = f"missing: ollama pull {model.ollama}" if model in missing else "ready"
        click.echo(f"  {model.id:<{width}}  {state}")
    click.echo()
    ready = [model for model in context.catalog if model not in missing and not model.is_embedding]
    if outbox.is_loopback(urlsplit(separated(url)[0]).hostname or ""):
        _say_windows(_fits(engine, ready), is_first=not keys.exists(context.store))


def _fits(engine: Engine, models: list[Model]) -> list[Fit]:
    """What fits this machine, for the models whose files tell what a token takes."""
    memory = memory_fit.memory_bytes()
    sizes = {installed.name.lower(): installed.size_bytes for installed in engine.installed()}
    found = []
    for model in models:
        try:
            per_token = memory_fit.cache_bytes_per_token(engine.model_info(model.ollama))
        except ApiError:
            continue
        if per_token:
            found.append(memory_fit.fit(model, sizes.get(full_tag(model.ollama), 0), per_token, memory))
    return found


def _say_windows(fits: list[Fit], *, is_first: bool) -> None:
    """Windows that do not fit, at every start; larger ones that would, at the first."""
    wrong = [fit for fit in fits if fit.is_too_large or (is_first and fit.window > fit.model.num_ctx)]
    if not wrong:
        return
    click.echo(f"Windows for this machine's {_gb(memory_fit.memory_bytes())} of memory, one model loaded at a time:")
    width = max(len(fit.model.id) for fit in wrong)
    for fit in wrong:
        now = f"{fit.model.num_ctx:,} now ({_gb(fit.needed_bytes)})"
        fits_ = f"{fit.window:,} fits ({_gb(fit.bytes)})" if fit.window else "none fits: choose a smaller model"
        click.echo(f"  {fit.model.id:<{width}}  {now}, {fits_}")
    if lines := [memory_fit.line(fit.model.id, fit.window) for fit in wrong if fit.window]:
        click.echo("To use them, put these lines at the top of instance/models.toml, and start again:")
        for line in lines:
            click.echo(f"  {line}")
    click.echo()


def _gb(amount: int) -> str:
    return f"{amount / 2**30:.1f} GB"


def _missing(engine: Engine, models: list[Model]) -> list[Model]:
    """The models of the catalogue that Ollama does not have."""
    names = {full_tag(installed.name) for installed in engine.installed()}
    return [model for model in models if full_tag(model.ollama) not in names]


def _say_first_key(context: AppContext, base_url: str) -> None:
    now = datetime.now(UTC)
    owner = accounts.ensure(context.store, accounts.LOCAL, now, actor=actor())
    issued = keys.issue(context.store, owner.id, now, actor=actor(), name="first key", mode="test")
    model = next(iter(context.catalog)).id
    click.echo("Your first key works in test mode: real shapes, no model, free. It is shown only now:\n")
    click.echo(f"  export LLMRACK_API_KEY={issued.secret}\n")
    click.echo("Try it in another terminal:\n")
    click.echo(
        f"  curl {base_url}/v1/chat/completions \\\n"
        f'    -H "Authorization: Bearer {issued.secret}" \\\n'
        '    -H "Content-Type: application/json" \\\n'
        f"""    -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "hi"}}]}}'\n"""
    )
