"""Services run on real databases, SQLite and PostgreSQL, with a clock that stands still."""

from tests.support.stores import clock, desk, meter, store
from tests.support.tills import counter, stripe

__all__ = ["clock", "counter", "desk", "meter", "store", "stripe"]
