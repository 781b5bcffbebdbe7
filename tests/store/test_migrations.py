"""Migrations lead to exactly the tables that the models declare, on both databases, and back again."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect

from llmrack.store.base import Base
from llmrack.store.db import Store, db


def test_the_migrated_schema_equals_the_models(unmigrated: Store) -> None:
    upgrade()
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        # Alembic does not compare check constraints and the conditions of indexes.
        inspector = inspect(connection)
        assert [check["name"] for check in inspector.get_check_constraints("usage")] == ["ck_usage_state"]
        conditions = {
            index["name"]: str(index["dialect_options"][f"{db.engine.dialect.name}_where"])
            for index in inspector.get_indexes("usage")
            if index.get("dialect_options", {}).get(f"{db.engine.dialect.name}_where") is not None
        }
        assert conditions.keys() == {"ix_usage_open"}
        assert all("state" in where and "'open'" in where for where in conditions.values())


def test_migrating_again_changes_nothing(unmigrated: Store) -> None:
    upgrade()
    upgrade()


def test_every_migration_can_be_undone(unmigrated: Store) -> None:
    upgrade()
    downgrade(revision="base")
    with db.engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    upgrade()
