"""How often a person or an address may try something. Counted in the database, so that all workers count together.

No owner is locked out by it: a browser that has signed in before is counted apart from strangers who try the same
account, and a forgotten password can be reset all the while.

Flask-Limiter, which counts the requests to the API, keeps its counts in the memory of one process or in Redis. These
must outlive a restart, and several processes share them also where there is no Redis; and a try that one of several
rules refuses must count under none.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select

from ..store import locks
from ..store.database import Store
from ..store.tables.accounts import Attempt
from . import tokens

# Attempts older than any window are of no use.
KEEP = timedelta(hours=25)


class TooMany(Exception):
    """Tried too often; `retry_after_s` seconds from now the next try is looked at."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many attempts. Try again in {_spoken(retry_after_s)}.")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class Rule:
    """At most `tries` in any `window`."""

    name: str
    tries: int
    window: timedelta


QUARTER = timedelta(minutes=15)
LOGIN_ACCOUNT = Rule("login-account", 10, QUARTER)
LOGIN_DEVICE = Rule("login-device", 10, QUARTER)
LOGIN_ADDRESS = Rule("login-address", 50, QUARTER)
PROVIDER_ADDRESS = Rule("provider-address", 50, QUARTER)
SIGNUP_ADDRESS = Rule("signup-address", 20, timedelta(hours=1))
MAIL_ACCOUNT = Rule("mail-account", 5, timedelta(hours=1))
MAIL_ADDRESS = Rule("mail-address", 20, timedelta(hours=1))
SECOND_FACTOR = Rule("second-factor", 6, QUARTER)
PASSWORD_AGAIN = Rule("password-again", 10, QUARTER)


def take(store: Store, now: datetime, *counts: tuple[Rule, str]) -> None:
    """Count one try under each (rule, who). Raises TooMany when any of them is used up; then none is counted."""
    buckets = [(rule, f"{rule.name}:{tokens.digest(who)[:32]}") for rule, who in counts]
    wait_s = 0
    with store.write() as connection:
        locks.hold(connection, *(bucket for _, bucket in buckets))
        for rule, bucket in buckets:
            since = Attempt.at > now - rule.window
            recent = select(Attempt.at).where(Attempt.bucket == bucket, since).order_by(Attempt.at.desc())
            oldest = connection.execute(recent.offset(rule.tries - 1).limit(1)).scalar()
            if oldest is not None:
                wait_s = max(wait_s, int((oldest + rule.window - now).total_seconds()) + 1)
        if not wait_s:
            connection.execute(insert(Attempt), [{"bucket": bucket, "at": now} for _, bucket in buckets])
    if wait_s:
        raise TooMany(wait_s)


def forget(store: Store, *counts: tuple[Rule, str]) -> None:
    """Start counting anew: a person who just proved who they are has used up nothing."""
    buckets = [f"{rule.name}:{tokens.digest(who)[:32]}" for rule, who in counts]
    with store.write() as connection:
        connection.execute(delete(Attempt).where(Attempt.bucket.in_(buckets)))


def sweep(store: Store, now: datetime) -> int:
    """Delete what no rule looks at any more; how many rows."""
    with store.write() as connection:
        return connection.execute(delete(Attempt).where(Attempt.at < now - KEEP)).rowcount


def count(store: Store, rule: Rule, who: str) -> int:
    """How many tries are on record."""
    bucket = f"{rule.name}:{tokens.digest(who)[:32]}"
    with store.read() as connection:
        statement = select(func.count()).where(Attempt.bucket == bucket)
        return int(connection.execute(statement).scalar_one())


def network(address: str | None) -> str:
    """What counts as one sender: an IPv4 address, or the /64 that an IPv6 connection usually has to itself."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def _spoken(seconds: int) -> str:
    minutes = -(-seconds // 60)
    if minutes > 1:
        return f"{minutes} minutes"
    return f"{seconds} seconds" if seconds > 1 else "a second"
