"""Values for tool arguments that do nothing when a program acts on them: an agent may run what it is handed."""

from __future__ import annotations

from typing import Any

from ..instances.hints import Hints, words

COMMAND = 'echo "test mode"'
# A string literal alone: an expression without effect in Python, JavaScript, Ruby and Perl.
CODE = '"test mode"'
SQL = "SELECT 'test mode'"
# Relative, and inside a folder that does not exist. Not /dev/null: to delete that would do harm.
PATH = "test-mode/does-not-exist.txt"
# RFC 2606 keeps .invalid from ever resolving.
URL = "https://test-mode.invalid/"
HOST = "test-mode.invalid"
TEXT = "test mode"

# A word of a property's name and what the property gets; of several words the last one listed here decides.
ROWS: tuple[tuple[str, str], ...] = (
    (COMMAND, "command cmd shell bash powershell exec executable argv arg args stdin cli"),
    (CODE, "code script program snippet javascript python patch diff"),
    (SQL, "sql"),
    (PATH, "path filepath file filename dir directory folder cwd workdir workspace glob"),
    (URL, "url uri link href website webhook endpoint"),
    (HOST, "host hostname domain"),
)
_VALUE_OF = {word: value for value, listed in ROWS for word in words(listed)}
# A tool with one of these in its name, or with a property for a command or code, runs what it is given.
_RUNS = frozenset(
    words(
        "bash shell sh zsh powershell terminal console exec execute eval run python javascript node sql database db"
        " code command script process subprocess cmd repl interpreter"
    )
)
# "country_code" is no program: beside these words "code" is one.
_PROGRAM_WORDS = frozenset(words("code source python javascript js script shell program sql raw new old"))


def value_for(name: str) -> str | None:
    """The inert value of a property of that name; None where any text will do."""
    told = words(name)
    listed = [word for word in told if word in _VALUE_OF]
    if not listed:
        return None
    if listed[-1] == "code" and not set(told) <= _PROGRAM_WORDS:
        return None
    return _VALUE_OF[listed[-1]]


def runs_its_arguments(tool: dict[str, Any]) -> bool:
    """Whether the tool looks as if it ran what it is given."""
    named = set(words(tool.get("name") or "")) & _RUNS
    return bool(named) or any(value_for(name) in (COMMAND, CODE, SQL) for name in properties(tool))


def acts(tool: dict[str, Any]) -> bool:
    """Whether the tool has an argument that must be inert, so that a wrong call could do harm."""
    return runs_its_arguments(tool) or any(value_for(name) is not None for name in properties(tool))


def properties(tool: dict[str, Any]) -> dict[str, Any]:
    schema = tool.get("parameters")
    found = schema.get("properties") if isinstance(schema, dict) else None
    return found if isinstance(found, dict) else {}


class InertHints(Hints):
    """Hints for one call: what the text says, but inert values where a program might act on them."""

    def __init__(self, text: str, tool: dict[str, Any], turn: int = 0) -> None:
        super().__init__(text, turn)
        self._runs = runs_its_arguments(tool)
        self._is_sql = bool({"sql", "database", "db"} & set(words(tool.get("name") or "")))

    def strings(self, name: str) -> list[str]:
        value = value_for(name)
        if value is None and self._runs:
            value = SQL if self._is_sql and "query" in words(name) else TEXT
        return super().strings(name) if value is None else [value]

    def formatted(self, format_name: str) -> list[str]:
        if format_name in ("uri", "uri-reference", "iri", "iri-reference", "url"):
            return [URL]
        if format_name in ("hostname", "idn-hostname"):
            return [HOST]
        return super().formatted(format_name)
