"""The commands of `flask`: what an operator does at a terminal."""

from flask import Flask

from . import settings
from .accounts import accounts
from .billing import billing, credits_group
from .captures import captures
from .doctor import doctor
from .keys import keys
from .pool_hosts import pool
from .prepare import prepare
from .usage import usage


def register_commands(app: Flask) -> None:
    """Every command but `flask db`, which Flask-Migrate brings."""
    for command in (
        prepare,
        settings.show,
        accounts,
        keys,
        usage,
        billing,
        credits_group,
        pool,
        doctor,
        captures,
    ):
        app.cli.add_command(command)
