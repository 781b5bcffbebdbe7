"""`flask captures record`: the examples of the documentation, asked again from a running server."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup

from llmrack import __version__, deployment
from llmrack.docsite import captures as stored
from llmrack.docsite.facts import CONTENT
from llmrack.errors import ApiError
from llmrack.inference.context import AppContext

captures = AppGroup("captures", help="The documentation's recorded answers.")


@captures.command("record")
@click.argument("names", nargs=-1)
@click.option("--url", envvar="LLMRACK_BASE_URL", help="Where the server is; without /v1.  [env: LLMRACK_BASE_URL]")
@click.option("--key", envvar="LLMRACK_API_KEY", required=True, help="[env: LLMRACK_API_KEY]")
@click.option("--by", help="What answers live keys, in words; otherwise the Ollama of this configuration.")
def record(names: tuple[str, ...], url: str | None, key: str, by: str | None) -> None:
    """Send the stored requests NAMES (all without any) to a running server, and keep its answers.

    A new capture starts as a file with its request alone; record it before a page names it.
    """
    context: AppContext = current_app.extensions["llmrack"]
    base_url = (url or deployment.base_url(context.settings)).rstrip("/")
    folder = CONTENT / "captures"
    for name in names or stored.names(folder):
        _record(folder, name, base_url.removesuffix("/v1"), key, by or _engine(context))


def _record(folder: Path, name: str, base_url: str, key: str, live: str) -> None:
    request = stored.load(folder, name).request
    try:
        status, headers, body, events = stored.ask(base_url, key, request)
    except OSError as exc:
        raise click.ClickException(f"{base_url} does not answer ({exc}). Start it, or name it with --url.") from exc
    answer = {"status": status, **({"events": list(events)} if events else {"body": body})}
    by = "test mode" if headers.get("x-llmrack-mode") == "test" else live
    source = {"at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "by": by, "version": __version__}
    stored.write(folder, name, request, answer, source)
    click.echo(f"{name}: {status} from {by}")


def _engine(context: AppContext) -> str:
    try:
        return f"Ollama {context.engines.live.version()}"
    except ApiError:
        return "Ollama"
