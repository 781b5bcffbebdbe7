"""Alembic's entry point: the database, the models and the app come from Flask-Migrate."""

import click
from alembic import context
from flask import current_app

from llmrack.errors import CannotStart
from llmrack.store import locks, opening
from llmrack.store.tables.base import UtcTime

migrate = current_app.extensions["migrate"]
target_metadata = migrate.db.metadata


def plain_types(kind, item, autogen_context):
    """A migration outlives the code: it names what a column is in the database, not our class around it."""
    if kind == "type" and isinstance(item, UtcTime):
        return "sa.BigInteger()"
    return False


def run() -> None:
    engine = migrate.db.engine
    # The lock has a connection of its own: a migration commits, and may fail, on the other one.
    with engine.connect() as waiting, locks.migration(waiting), engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            # A large table takes longer than a request may.
            connection.exec_driver_sql("SET statement_timeout = 0")
            connection.commit()
        with opening.alterable(connection):
            context.configure(
                connection=connection,
                target_metadata=target_metadata,
                render_item=plain_types,
                **migrate.configure_args,
            )
            with context.begin_transaction():
                context.run_migrations()


try:
    with opening.explained(current_app.config["SQLALCHEMY_DATABASE_URI"]):
        run()
except (locks.StillMigrating, CannotStart) as error:
    raise click.ClickException(str(error)) from error
