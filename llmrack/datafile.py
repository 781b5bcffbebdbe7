"""Tables of facts in TOML: the shipped file, then the operator's, merged key by key and checked into frozen rows.

Every complaint names the file and the line, because the reader is an operator whose server will not start.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

Row = TypeVar("Row")
# A key in the file that is stored under another name and in another unit: field -> (key, parse). `parse` raises
# ValueError with the rest of the sentence "<key> of <kind> <id> ...".
Conversions = Mapping[str, tuple[str, Callable[[Any], Any]]]
Rule = tuple[str, bool, str]

_KINDS: Mapping[str, type] = {"int": int, "str": str, "bool": bool, "tuple[str, ...]": list, "int | None": int}


@dataclass
class Entry:
    """What the files say about one row: its keys, and for each key the file and line of its last mention."""

    kind: str
    id: str
    error: type[ValueError]
    path: str
    values: dict[str, Any] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)

    def refuse(self, key: str, complaint: str) -> ValueError:
        return self.error(f"{self.where.get(key, self.path)}: {key} of {self.kind} {self.id} {complaint}")

    def check(self, *rules: Rule) -> None:
        """Raise for the first rule (key, whether it holds, complaint) that does not hold."""
        for key, holds, complaint in rules:
            if not holds:
                raise self.refuse(key, complaint)


def read(section: str, kind: str, error: type[ValueError], shipped: Path, *others: Path) -> list[Entry]:
    """The tables `[<section>.<id>]` of the shipped file, then of each other file that exists."""
    entries: dict[str, Entry] = {}
    for path in (shipped, *(other for other in others if other.exists())):
        _merge(entries, path, section, kind, error)
    return list(entries.values())


def _merge(entries: dict[str, Entry], path: Path, section: str, kind: str, error: type[ValueError]) -> None:
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise error(f"{path}: {exc}") from exc
    tables = document.get(section, {})
    if not isinstance(tables, dict) or document.keys() - {section}:
        raise error(f"{path}: the file takes tables named [{section}.ID] and nothing else")
    for id_, table in tables.items():
        if not isinstance(table, dict):
            raise error(f"{path}: {section}.{id_} must be a table")
        place = f"{path}, line {_line(text, section, id_, None)}"
        entry = entries.setdefault(id_, Entry(kind, id_, error, place))
        entry.where |= {key: f"{path}, line {_line(text, section, id_, key)}" for key in table}
        entry.values |= table


def _line(text: str, section: str, id_: str, key: str | None) -> int:
    """The line of `key` in the table of `id_` (of the table itself when key is None), counted from 1."""
    header = re.compile(rf'\[{section}\.["\']?{re.escape(id_)}["\']?\]')
    inside = 0
    for number, line in enumerate(text.splitlines(), 1):
        if header.match(line.strip()):
            inside = number
            if key is None:
                return number
        elif inside and line.lstrip().startswith("["):
            break
        elif inside and key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return inside or 1


def build(row: type[Row], entry: Entry, conversions: Conversions) -> Row:
    """One frozen row from its entry; a missing, unknown or wrongly typed key raises the entry's error."""
    values: dict[str, Any] = {"id": entry.id}
    known = {"id"}
    for column in fields(row):  # type: ignore[arg-type]
        key, parse = conversions.get(column.name, (column.name, None))
        if column.name == "id":
            continue
        known.add(key)
        if key in entry.values:
            values[column.name] = _value(entry, key, str(column.type), parse)
        elif column.default is MISSING:
            raise entry.error(f"{entry.path}: {entry.kind} {entry.id} has no {key}")
    for key in entry.values:
        if key not in known:
            raise entry.error(f"{entry.where[key]}: {entry.kind} {entry.id} has an unknown key {key}")
    return row(**values)


def _value(entry: Entry, key: str, kind: str, parse: Callable[[Any], Any] | None) -> Any:
    value = entry.values[key]
    if parse is not None:
        try:
            return parse(value)
        except ValueError as exc:
            raise entry.refuse(key, str(exc)) from None
    if type(value) is not _KINDS[kind]:
        raise entry.refuse(key, f"must be of type {_KINDS[kind].__name__}")
    return tuple(value) if isinstance(value, list) else value
