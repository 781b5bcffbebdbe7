"""The store is tested on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask_migrate import Migrate

from llmrack.settings import ROOT
from llmrack.store.database import Store, db, engine_options
from tests.support.databases import shared_postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def unmigrated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty database, in the context of an application that has the migrations."""
    url = f"sqlite:///{tmp_path}/m.db" if request.param == "sqlite" else shared_postgresql().create()
    app = Flask(__name__)
    app.config.update(SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS=engine_options(url))
    db.init_app(app)
    Migrate(app, db, directory=str(ROOT / "migrations"))
    with app.app_context():
        yield Store(db.engine)
        db.engine.dispose()
