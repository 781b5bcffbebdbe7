"""Alembic's entry point: the database, the models and the app come from Flask-Migrate."""

from alembic import context
from flask import current_app

from llmrack.store.base import UtcTime

migrate = current_app.extensions["migrate"]
target_metadata = migrate.db.metadata


def plain_types(kind, item, autogen_context):
    """A migration outlives the code: it names what a column is in the database, not our class around it."""
    if kind == "type" and isinstance(item, UtcTime):
        return "sa.BigInteger()"
    return False


def run() -> None:
    with migrate.db.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=target_metadata,
            render_item=plain_types,
            **migrate.configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
