"""The tables. All are imported here, so that the metadata is whole."""

from . import accounts, billing, pool, teams, usage

__all__ = ["accounts", "billing", "pool", "teams", "usage"]
