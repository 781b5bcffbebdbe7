"""One page of the documentation: its sections as Markdown, and the same as HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from . import headings
from .facts import ROLES, BadDocs, Facts
from .rail import Language, Rail
from .rail import load as load_rail
from .render import Renderer
from .tags import expand

_RAIL = re.compile(r"^\[\[rail ([\w-]+)\]\]\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """`text` is expanded Markdown. The rails stand beside it, and below it where the screen is narrow."""

    text: str
    rails: tuple[Rail, ...]

    @property
    def markdown(self) -> str:
        return "\n\n".join([self.text, *(rail.markdown for rail in self.rails)])

    @property
    def id(self) -> str:
        return next(headings.find(self.text)).id


def read_section(raw: str, facts: Facts, where: str) -> Section:
    """One file. Rails go to its end, in their order, wherever their tags stand.

    A rail with the name of a role is left out where no model here can do what it shows.
    """
    names = [name for name in _RAIL.findall(raw) if name not in ROLES or facts.offers(name)]
    text = expand(_RAIL.sub("", raw), facts, where).strip()
    if next(headings.find(text), None) is None:
        raise BadDocs(f"{where}: a section begins with a heading")
    return Section(re.sub(r"\n{3,}", "\n\n", text), tuple(load_rail(facts, name) for name in names))


@dataclass(frozen=True)
class Snippets:
    """A rail as HTML: for each language its box of code."""

    id: str
    panels: tuple[tuple[Language, str], ...]


@dataclass(frozen=True)
class Rendered:
    id: str
    html: str
    rails: tuple[Snippets, ...]


class Page:
    """`slug` is its place below /docs. The first section has the title and one paragraph that describes the page."""

    def __init__(self, slug: str, group: str, sections: tuple[Section, ...]) -> None:
        self.slug, self.group, self.sections = slug, group, sections
        first = sections[0].text
        heading = next(headings.find(first))
        if heading.level != 1:
            raise BadDocs(f"{slug}: the first line of a page is its title, # {heading.title}")
        self.title = heading.title
        intro = first.splitlines()[heading.line + 1 :]
        self.description = headings.plain(" ".join("\n".join(intro).strip().partition("\n\n")[0].split()))
        self.headings = [found for section in sections for found in headings.find(section.text)]
        self.ids = [found.id for found in self.headings]
        twice = {id_ for id_ in self.ids if self.ids.count(id_) > 1}
        if twice:
            raise BadDocs(f"{slug}: two headings share the id {', '.join(sorted(twice))}")

    @property
    def url(self) -> str:
        return f"/docs/{self.slug}"

    @property
    def contents(self) -> list[headings.Heading]:
        """What "On this page" lists."""
        return [heading for heading in self.headings if heading.level in (2, 3)]

    @property
    def has_rail(self) -> bool:
        return any(section.rails for section in self.sections)

    @property
    def markdown(self) -> str:
        return "\n\n".join(section.markdown for section in self.sections) + "\n"

    @cached_property
    def rendered(self) -> list[Rendered]:
        """The sections as HTML, without the title; made when the page is first asked for, and kept."""
        renderer = Renderer(self.slug)
        return [_render(renderer, section, is_first=index == 0) for index, section in enumerate(self.sections)]


def _render(renderer: Renderer, section: Section, *, is_first: bool) -> Rendered:
    text = section.text.partition("\n")[2] if is_first else section.text
    body = renderer.section(text)
    rails = tuple(
        Snippets(
            f"rail-{rail.name}",
            tuple((s.language, renderer.code(s.code, s.language.lexer, s.language.label)) for s in rail.snippets),
        )
        for rail in section.rails
    )
    return Rendered(section.id, body, rails)
