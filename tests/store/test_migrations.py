"""Migrations lead to exactly the tables that the models declare, on both databases, and back again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import Migrate, downgrade, upgrade
from sqlalchemy import inspect

from llmrack.settings import ROOT
from llmrack.store.base import Base
from llmrack.store.db import Store, db, engine_options
from tests.support.databases import shared_postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    url = f"sqlite:///{tmp_path}/m.db" if request.param == "sqlite" else shared_postgresql().create()
    app = Flask(__name__)
    app.config.update(SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS=engine_options(url))
    db.init_app(app)
    Migrate(app, db, directory=str(ROOT / "migrations"))
    with app.app_context():
        Store(db.engine)
        yield app
        db.engine.dispose()


def test_the_migrated_schema_equals_the_models(app: Flask) -> None:
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


def test_migrating_again_changes_nothing(app: Flask) -> None:
    upgrade()
    upgrade()


def test_every_migration_can_be_undone(app: Flask) -> None:
    upgrade()
    downgrade(revision="base")
    with db.engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    upgrade()
