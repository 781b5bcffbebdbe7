"""The code rail: one request in four languages, each a file that runs as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .facts import BadDocs, Facts


@dataclass(frozen=True)
class Language:
    """`lexer` is the name under which the code is highlighted."""

    id: str
    label: str
    file: str
    lexer: str


LANGUAGES: tuple[Language, ...] = (
    Language("curl", "cURL", "curl.sh", "bash"),
    Language("python", "Python", "python.py", "python"),
    Language("node", "Node", "node.mjs", "javascript"),
    Language("sdk", "OpenAI SDK", "sdk.py", "python"),
)


@dataclass(frozen=True)
class Snippet:
    """One variant as this server shows it."""

    language: Language
    code: str

    @property
    def fenced(self) -> str:
        return f"```{self.language.lexer}\n{self.code}\n```"


@dataclass(frozen=True)
class Rail:
    name: str
    snippets: tuple[Snippet, ...]

    @property
    def markdown(self) -> str:
        return "\n\n".join(f"**{snippet.language.label}**\n\n{snippet.fenced}" for snippet in self.snippets)


def load(facts: Facts, name: str) -> Rail:
    """The rail of that name; a rail may lack a language, but not all of them."""
    folder = facts.content / "rail" / name
    files = [(language, folder / language.file) for language in LANGUAGES]
    snippets = tuple(Snippet(language, read(facts, path)) for language, path in files if path.exists())
    if not snippets:
        raise BadDocs(f"{folder}: no such rail")
    return Rail(name, snippets)


def read(facts: Facts, path: Path) -> str:
    """A file's code as this server shows it."""
    try:
        return facts.localise(path.read_text(encoding="utf-8").strip("\n"))
    except OSError as exc:
        raise BadDocs(f"{path}: no such snippet") from exc
