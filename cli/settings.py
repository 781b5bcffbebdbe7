"""`flask settings`: what this server is set to, and the text of `.env.example`."""

import click

from llmrack import settings as rows


@click.command("settings")
@click.option("--example", is_flag=True, help="Print .env.example as it should be.")
def show(example: bool) -> None:
    """List every setting with its value in force. Secrets show as set or empty."""
    if example:
        click.echo(rows.example(), nl=False)
        return
    values = rows.load()
    for row in rows.SETTINGS:
        value = getattr(values, row.name)
        click.echo(f"{row.env}={'(set)' if row.is_secret and value else value}    # {row.help} ({row.takes})")
