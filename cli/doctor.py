"""`flask doctor`: what is wrong with this installation, and what mends it."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from llmrack.diagnosis import checks
from llmrack.diagnosis.findings import Installation


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@with_appcontext
def doctor(as_json: bool) -> None:
    """Look at settings, database, Redis and Ollama; change nothing. Ends with 1 when something is broken."""
    # A database that is away is a line of the answer, and needs none of the log.
    logging.disable()
    site = Installation(
        current_app.extensions["llmrack"], Path(current_app.instance_path), str(current_app.config["SECRET_KEY"])
    )
    found = checks.run(site)
    logging.disable(logging.NOTSET)
    if as_json:
        rows = [
            {"id": check.id, "group": check.group, "state": finding.state, "says": finding.says, "mend": finding.mend}
            for check, finding in found
        ]
        click.echo(json.dumps(rows, indent=2))
    else:
        for check, finding in found:
            click.echo(f"{finding.state:<7}  {check.id:<16}  {finding.says}")
            if finding.mend:
                click.echo(f"{'':<27}{finding.mend}")
    sys.exit(1 if checks.is_broken(found) else 0)
