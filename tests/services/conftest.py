"""Services run on real databases, SQLite and PostgreSQL, with a clock that stands still."""

from tests.support.stores import clock, desk, meter, store

__all__ = ["clock", "desk", "meter", "store"]
