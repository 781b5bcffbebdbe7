"""The hosts as data: those of the settings and those of the table are one list, which an operator changes by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from ..accounts import audit
from ..setting_values import Instead, Url
from ..store.database import Store
from ..store.tables.pool import PoolHost

ACTIVE, DRAINING, OFF = "active", "draining", "off"
SETTINGS, TABLE = "settings", "table"
MOST = 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
# What the hosts of the settings are called, in their order.
_OF_SETTINGS = re.compile(r"ollama-\d+")
_URL = Url(ends=("/v1", "/api"))


class BadHost(ValueError):
    """A change that cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class HostRow:
    """One Ollama: `slots` requests at a time for each model, `max_loaded` models in memory.

    An `active` host is given requests. A `draining` one is given no new ones; it is `off` once it has answered those
    it had. `source` says where its address is written: in the settings or in the table.
    """

    name: str
    url: str
    slots: int
    max_loaded: int
    state: str = ACTIVE
    source: str = SETTINGS


@dataclass(frozen=True)
class Hosts:
    """The list of one installation. `urls`, `slots` and `max_loaded` are what the settings say."""

    store: Store
    urls: Sequence[str]
    slots: int
    max_loaded: int

    def of_settings(self) -> list[HostRow]:
        """Those of the settings alone, as if nothing had been changed."""
        return [HostRow(f"ollama-{n}", url, self.slots, self.max_loaded) for n, url in enumerate(self.urls, 1)]

    def all(self) -> list[HostRow]:
        """The hosts of the settings in their order, then those of the table by name. One query."""
        with self.store.read() as connection:
            return self._all(connection)

    def get(self, name: str) -> HostRow:
        """Raises BadHost."""
        with self.store.read() as connection:
            return self._get(connection, name)

    def add(self, row: HostRow, actor: str, now: datetime) -> None:
        """Raises BadHost."""
        _check(row)
        with self.store.write() as connection:
            known = self._all(connection)
            if any(row.name == other.name for other in known):
                raise BadHost(f"There is a host {row.name} already.")
            if _OF_SETTINGS.fullmatch(row.name):
                raise BadHost("Names such as ollama-1 are those of the hosts of LLMRACK_OLLAMA_URL. Choose another.")
            url = row.url.rstrip("/")
            other = next((other for other in known if other.url.rstrip("/") == url), None)
            if other is not None:
                raise BadHost(f"The host {other.name} has this URL already.")
            connection.execute(insert(PoolHost).values(**self._values(replace(row, url=url)), created_at=now))
            _note(connection, actor, "pool.add", f"{row.name}: {url}, {_limits(row)}", now)

    def change(self, name: str, *, slots: int | None, max_loaded: int | None, actor: str, now: datetime) -> HostRow:
        """Tell other limits; None leaves one as it is. Raises BadHost."""
        with self.store.write() as connection:
            old = self._get(connection, name)
            new = replace(old, slots=slots or old.slots, max_loaded=max_loaded or old.max_loaded)
            _check(new)
            self._keep(connection, new, now)
            _note(connection, actor, "pool.set", f"{name}: {_limits(new)}; before: {_limits(old)}", now)
            return new

    def drain(self, name: str, actor: str, now: datetime) -> None:
        """Give a host no new requests from now on. Raises BadHost."""
        self._set_state(name, DRAINING, "pool.drain", actor, now)

    def resume(self, name: str, actor: str, now: datetime) -> None:
        """Raises BadHost."""
        self._set_state(name, ACTIVE, "pool.resume", actor, now)

    def remove(self, name: str, actor: str, now: datetime, *, is_forced: bool = False) -> None:
        """Raises BadHost for a host of the settings, and (unless it is forced) for one that is not drained."""
        with self.store.write() as connection:
            row = self._get(connection, name)
            if row.source == SETTINGS:
                raise BadHost(f"{name} is written in LLMRACK_OLLAMA_URL: take it out there, or drain it.")
            if row.state != OFF and not is_forced:
                raise BadHost(f"{name} is {row.state}, not off. Drain it first, and let it answer what it has.")
            connection.execute(delete(PoolHost).where(PoolHost.name == name))
            _note(connection, actor, "pool.remove", f"{name}: {row.url}", now)

    def drained(self, name: str) -> bool:
        """A host that drains has answered everything it had; False when its operator has resumed it meanwhile."""
        with self.store.write() as connection:
            is_draining = (PoolHost.name == name, PoolHost.state == DRAINING)
            done = connection.execute(update(PoolHost).where(*is_draining).values(state=OFF))
            return done.rowcount > 0

    def _set_state(self, name: str, state: str, action: str, actor: str, now: datetime) -> None:
        with self.store.write() as connection:
            row = self._get(connection, name)
            if row.state == state or (state == DRAINING and row.state == OFF):
                return
            self._keep(connection, replace(row, state=state), now)
            _note(connection, actor, action, name, now)

    def _all(self, connection: Connection) -> list[HostRow]:
        kept = {row.name: self._read(row) for row in connection.execute(_ROWS)}
        listed = []
        for row in self.of_settings():
            mine = kept.pop(row.name, None)
            # A row of another address is of the time before the settings were changed.
            listed.append(replace(mine, source=SETTINGS) if mine is not None and mine.url == row.url else row)
        return listed + [row for name, row in kept.items() if not _OF_SETTINGS.fullmatch(name)]

    def _read(self, row: Any) -> HostRow:
        slots, max_loaded = row.slots or self.slots, row.max_loaded or self.max_loaded
        return HostRow(row.name, row.url, slots, max_loaded, row.state, TABLE)

    def _get(self, connection: Connection, name: str) -> HostRow:
        listed = self._all(connection)
        found = next((row for row in listed if row.name == name), None)
        if found is None:
            raise BadHost(f"There is no host {name}. Choose from {', '.join(row.name for row in listed)}.")
        return found

    def _keep(self, connection: Connection, row: HostRow, now: datetime) -> None:
        values = self._values(row)
        changed = connection.execute(update(PoolHost).where(PoolHost.name == row.name).values(**values))
        if not changed.rowcount:
            connection.execute(insert(PoolHost).values(**values, created_at=now))

    def _values(self, row: HostRow) -> dict[str, Any]:
        """What is as the settings say goes on following them."""
        return {
            "name": row.name,
            "url": row.url,
            "slots": row.slots if row.slots != self.slots else None,
            "max_loaded": row.max_loaded if row.max_loaded != self.max_loaded else None,
            "state": row.state,
        }


_ROWS = select(PoolHost.name, PoolHost.url, PoolHost.slots, PoolHost.max_loaded, PoolHost.state).order_by(PoolHost.name)


def _limits(row: HostRow) -> str:
    return f"slots {row.slots}, max_loaded {row.max_loaded}"


def _note(connection: Connection, actor: str, action: str, detail: str, now: datetime) -> None:
    audit.record(connection, audit.Act(actor, action, None, detail), now)


def _check(row: HostRow) -> None:
    if not _NAME.fullmatch(row.name):
        raise BadHost("A name has 1 to 40 small letters, digits and hyphens, and begins with a letter or digit.")
    if not (1 <= row.slots <= MOST and 1 <= row.max_loaded <= MOST):
        raise BadHost(f"Slots and models in memory are numbers from 1 to {MOST}.")
    try:
        if len(row.url) > 500:
            raise ValueError
        _URL.check(row.url)
    except Instead as exc:
        raise BadHost(f"{row.url} is no address of an Ollama: {exc}.") from exc
    except ValueError as exc:
        raise BadHost(f"{row.url} is no address of an Ollama: it takes a {_URL}.") from exc
