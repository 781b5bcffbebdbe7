"""A database that has been in use for years: 1,000 accounts, 10,000 keys, 5 million usage rows, made by SQLite itself.

What is measured on it shows whether a request's cost grows with the data. Request ids are spread evenly, as random
ones are, but come in order, which fills the index in a minute instead of ten.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

ACCOUNTS, KEYS, ROWS = 1_000, 10_000, 5_000_000
DAYS = 365
DAY_US = 86_400_000_000

_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"
_ACCOUNTS = (
    _NUMBERS
    + """
INSERT INTO accounts (id, name, email, plan_id, uses_credits, created_at)
SELECT 1000 + n, 'load-' || n, 'load-' || n || '@example.com', 'free', 0, :start FROM numbers
"""
)
_KEYS = (
    _NUMBERS
    + """
INSERT INTO keys (id, account_id, name, mode, permissions, secret_sha256, prefix, last4, created_at)
SELECT 100000 + n, 1001 + n % :accounts, 'key ' || n, 'live', 'all', lower(hex(randomblob(32))), 'rl_live_load', 'last',
  :start
FROM numbers
"""
)
_ROWS = (
    _NUMBERS
    + """
INSERT INTO usage
SELECT printf('req_%08x', n * 4294967295 / {count}) || lower(hex(randomblob(12))), 1001 + n % :accounts,
  100001 + n % :keys, 'live', 'free', CASE n % 3 WHEN 0 THEN 'llama-3.1-8b' ELSE 'phi-3-mini' END, 'chat', n % 2, 0,
  NULL, 'settled', 'completed', date(:start / 1000000 + n / :per_day * 86400, 'unixepoch'),
  :start + n / :per_day * :day_us, :start + n / :per_day * :day_us + 5000000, 'old:1:abcd',
  :start + n / :per_day * :day_us, 800, 0, 300, 200, 0, 300, 200, 40, 80, 28000, 1, 2, 3, 4, 5, 6
FROM numbers
"""
)
_SUMS = """
INSERT INTO usage_days
SELECT account_id, mode, day, key_id, model_id, count(*), sum(counted_prompt_tokens), sum(counted_completion_tokens), 0,
  sum(cost_nanousd), 0
FROM usage GROUP BY account_id, mode, day, key_id, model_id
"""


def fill(path: Path, now_s: float, rows: int = ROWS) -> None:
    """Add the accounts, their keys, and a year of their usage to a migrated database that nobody has open."""
    start = int((now_s - DAYS * 86_400) * 1e6)
    values = {"start": start, "accounts": ACCOUNTS, "keys": KEYS, "per_day": max(1, rows // DAYS), "day_us": DAY_US}
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000")
        for sql, count in ((_ACCOUNTS, ACCOUNTS), (_KEYS, KEYS), (_ROWS, rows)):
            connection.execute(sql.format(count=count), values)
        connection.execute(_SUMS)
        connection.executescript("ANALYZE; PRAGMA journal_mode = WAL")
