"""The store is tested on SQLite and on PostgreSQL."""

from tests.support.stores import store

__all__ = ["store"]
