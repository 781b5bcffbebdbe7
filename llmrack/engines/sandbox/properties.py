"""The properties of an object that fits a JSON Schema: which ones, and their values."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from ...wire.json_schema.patterns import matches
from . import merging, patterns
from .checks import MAX_NAME, NoInstance

if TYPE_CHECKING:
    from .candidates import Maker

# More properties or items than this are beyond a rehearsal.
MAX_ITEMS = 1_000


class Properties:
    """The properties of one object, each made once."""

    def __init__(self, maker: Maker, schema: dict[str, Any], depth: int) -> None:
        self._maker = maker
        self._schema = schema
        self._depth = depth
        self._made: dict[str, Any] = {}

    def build(self, wanted: list[str], fixed: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """At most one object with the wanted properties, fewer or more where counts demand it."""
        required = self._schema.get("required", ())
        most = int(self._schema.get("maxProperties", MAX_ITEMS))
        chosen: dict[str, Any] = {}
        for key in dict.fromkeys(wanted):
            if key not in required and len(chosen) + sum(1 for k in required if k not in chosen) >= most:
                continue
            try:
                chosen[key] = fixed[key] if fixed and key in fixed else self._value(key)
            except NoInstance:
                if key in required:
                    return
        try:
            yield {**chosen, **self._extra(chosen)}
        except NoInstance:
            return

    def others(self, key: str) -> list[Any]:
        """Two more values for a property, for objects whose rules refuse the first."""
        found = self._maker.candidates(self._rule(key), key, self._depth + 1)
        return list(islice(found, 1, 3))

    def _value(self, key: str) -> Any:
        if key not in self._made:
            self._made[key] = self._maker.first(self._rule(key), key, self._depth + 1)
        return self._made[key]

    def _rule(self, key: str) -> Any:
        named = [self._schema["properties"][key]] if key in self._schema.get("properties", ()) else []
        if len(key) <= MAX_NAME:
            by_pattern = self._schema.get("patternProperties") or {}
            named += [rule for pattern, rule in by_pattern.items() if matches(pattern, key)]
        return merging.merge(*named) if named else self._schema.get("additionalProperties", True)

    def _extra(self, chosen: dict[str, Any]) -> dict[str, Any]:
        missing = int(self._schema.get("minProperties", 0)) - len(chosen)
        if missing > MAX_ITEMS:
            raise NoInstance
        extra: dict[str, Any] = {}
        names = self._names()
        while len(extra) < missing:
            key = next((name for name in names if name not in chosen and name not in extra), None)
            if key is None:
                raise NoInstance
            extra[key] = self._value(key)
        return extra

    def _names(self) -> Iterator[str]:
        yield from (key for key in self._schema.get("properties", ()))
        for pattern in self._schema.get("patternProperties") or ():
            yield from (name for name in patterns.examples(pattern) if len(name) <= MAX_NAME)
        names = self._maker.candidates(
            merging.merge({"type": "string"}, self._schema.get("propertyNames", True)), "property", 0
        )
        yield from (name for name in names if isinstance(name, str) and len(name) <= MAX_NAME)
