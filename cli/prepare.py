"""`flask prepare`: what script/server does before it serves, and what it tells the person who started it."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_migrate import upgrade

from llmrack import deployment, outbox
from llmrack.catalog import Model, full_tag
from llmrack.engines.base import Engine
from llmrack.errors import ApiError
from llmrack.services import keys
from llmrack.services.rack import Rack


@click.command()
@with_appcontext
def prepare() -> None:
    """Migrate the database, then say where the site is, which models are there, and how to make a first request."""
    rack: Rack = current_app.extensions["llmrack"]
    upgrade()
    base_url = deployment.base_url(rack.settings)
    click.echo(f"\nLLMRack: {base_url}    API: {base_url}/v1\n")
    if outbox.is_open(rack.settings):
        token = outbox.token(current_app.config["SECRET_KEY"])
        click.echo(f"Mails are not sent here; on this machine they are at {base_url}/outbox?token={token}\n")
    _say_models(rack)
    if rack.settings.environment != "production" and not keys.any(rack.store):
        _say_first_key(rack, base_url)


def _say_models(rack: Rack) -> None:
    engine, url = rack.engines.live, rack.settings.ollama_url
    try:
        version, missing = engine.version(), _missing(engine, list(rack.catalog))
    except ApiError:
        click.echo(f"No Ollama answers at {url}. Test keys work without one; live keys get a clear 502 until it does.")
        click.echo("  Get it from ollama.com, or name another with LLMRACK_OLLAMA_URL.\n")
        return
    click.echo(f"Ollama {version} answers at {url}.")
    width = max(len(model.id) for model in rack.catalog)
    for model in rack.catalog:
        state = f"missing: ollama pull {model.ollama}" if model in missing else "ready"
        click.echo(f"  {model.id:<{width}}  {state}")
    click.echo()


def _missing(engine: Engine, models: list[Model]) -> list[Model]:
    """The models of the catalogue that Ollama does not have."""
    names = {full_tag(installed.name) for installed in engine.installed()}
    return [model for model in models if full_tag(model.ollama) not in names]


def _say_first_key(rack: Rack, base_url: str) -> None:
    issued = keys.issue(rack.store, name="first key", mode="test")
    model = next(iter(rack.catalog)).id
    click.echo("Your first key works in test mode: real shapes, no model, free. It is shown only now:\n")
    click.echo(f"  export LLMRACK_API_KEY={issued.secret}\n")
    click.echo("Try it in another terminal:\n")
    click.echo(
        f"  curl {base_url}/v1/chat/completions \\\n"
        f'    -H "Authorization: Bearer {issued.secret}" \\\n'
        '    -H "Content-Type: application/json" \\\n'
        f"""    -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "hi"}}]}}'\n"""
    )
    click.echo("More keys: .venv/bin/flask keys create --name NAME --mode live\n")
