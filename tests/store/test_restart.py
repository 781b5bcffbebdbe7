"""PostgreSQL is restarted in order, as for an upgrade, while every connection of the pool is idle."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import create_engine

from llmrack.store.database import POOL_SIZE, Store, engine_options
from tests.support.databases import PostgreSQL
from tests.support.together import together


@pytest.fixture
def own() -> Iterator[PostgreSQL]:
    server = PostgreSQL()
    yield server
    server.remove()


def test_no_connection_of_before_a_restart_is_used_after_it(own: PostgreSQL) -> None:
    url = own.create()
    engine = create_engine(url, **engine_options(url))
    store = Store(engine)

    def ask(_: int) -> int:
        with store.read() as connection:
            one: int = connection.exec_driver_sql("SELECT pg_backend_pid() FROM pg_sleep(0.05)").scalar_one()
            return one

    with closing(engine.raw_connection()):
        pass
    assert len(set(together(3 * POOL_SIZE, ask))) == POOL_SIZE
    for _ in range(3):
        own.signal(signal.SIGINT)
        own.wait()
        own.up()
        assert len(set(together(3 * POOL_SIZE, ask))) == POOL_SIZE
    engine.dispose()
