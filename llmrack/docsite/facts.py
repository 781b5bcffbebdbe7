"""What the documentation says about this server, in one value: every tag reads from here or from the wire's rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from ..catalog import Catalog, Model
from ..errors import CannotStart
from ..plans import Plans
from ..settings import ROOT, Settings

CONTENT = ROOT / "docs_content"

# What the snippets on disk say, so that they run as they stand beside a server with default settings.
FILE_BASE_URL = "http://127.0.0.1:8000"

# The models the text recommends, and what a stand-in must be able to do where an operator does not offer them.
ROLES: dict[str, tuple[str, Callable[[Model], bool]]] = {
    "fast": ("phi-3-mini", lambda model: not model.is_embedding),
    "tools": ("llama-3.1-8b", lambda model: model.can("tools")),
    # What agents with long first turns need, and what one of them demands.
    "roomy": ("qwen-2.5-7b", lambda model: model.can("tools") and model.num_ctx >= 32_000),
    "long": ("llama-3.1-8b-64k", lambda model: model.can("tools") and model.num_ctx >= 64_000),
    "vision": ("llava-7b", lambda model: model.can("vision")),
    "embed": ("nomic-embed", lambda model: model.is_embedding),
}


class BadDocs(CannotStart):
    """Documentation the server does not start with; the message names the file and what is wrong."""


class TriggerRow(Protocol):
    """One trigger of test mode, as the engine declares it."""

    @property
    def text(self) -> str: ...
    @property
    def does(self) -> str: ...
    @property
    def example(self) -> str: ...
    @property
    def works_on(self) -> tuple[str, ...]: ...


class OutcomeRow(Protocol):
    """One way a request can end, and what it costs then."""

    @property
    def name(self) -> str: ...
    @property
    def charges_prompt(self) -> bool: ...
    @property
    def charges_completion(self) -> bool: ...
    @property
    def meaning(self) -> str: ...


class RoleRow(Protocol):
    """One role in a team, and which rights it has."""

    @property
    def name(self) -> str: ...
    @property
    def help(self) -> str: ...
    @property
    def rights(self) -> frozenset[str]: ...


@dataclass(frozen=True)
class Facts:
    """`base_url` has no /v1 and no slash at its end. `has_path` says whether the application serves a path.

    `rights` are the names of a role's rights with what each allows, `inert_arguments` are values of test mode with the
    words of argument names that get them.
    """

    base_url: str
    version: str
    catalog: Catalog
    plans: Plans
    settings: Settings
    triggers: tuple[TriggerRow, ...] = ()
    inert_arguments: tuple[tuple[str, str], ...] = ()
    outcomes: tuple[OutcomeRow, ...] = ()
    roles: tuple[RoleRow, ...] = ()
    rights: tuple[tuple[str, str], ...] = ()
    has_path: Callable[[str], bool] = lambda path: True
    content: Path = CONTENT

    def model(self, role: str) -> str:
        """The id to show for a role: the recommended model, or the first one offered that can do the same."""
        preferred, fits = ROLES[role]
        found = self.catalog.get(preferred)
        if found is not None and fits(found):
            return preferred
        return next((model.id for model in self.catalog if fits(model)), preferred)

    def offers(self, role: str) -> bool:
        """Whether a model here can do what the role asks for."""
        return any(ROLES[role][1](model) for model in self.catalog)

    @cached_property
    def _replacements(self) -> dict[str, str]:
        ids = {preferred: self.model(role) for role, (preferred, _) in ROLES.items()}
        return {FILE_BASE_URL: self.base_url, **{old: new for old, new in ids.items() if old != new}}

    def localise(self, text: str) -> str:
        """A stored snippet or example as this server shows it: its own base URL, and models it offers."""
        return replace_words(text, self._replacements)


def replace_words(text: str, words: dict[str, str]) -> str:
    """All of `words` replaced in one pass, where they do not go on as a longer word."""
    pattern = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.sub(rf"(?<![\w.-])(?:{pattern})(?![\w-])", lambda match: words[match[0]], text)


def code_list(ids: Iterable[str]) -> str:
    return ", ".join(f"`{id_}`" for id_ in ids)
