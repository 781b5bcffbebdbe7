"""The whole documentation, read and checked once at start: an unknown tag or a link to nothing stops it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .facts import BadDocs, Facts
from .pages import Page, read_section
from .search import Index

_LINK = re.compile(r"\]\((/[^)\s]*|#[^)\s]*)\)")
_FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Group:
    title: str
    pages: tuple[Page, ...]


class Site:
    """Pages by slug, in the order of `nav.toml`."""

    def __init__(self, facts: Facts, groups: tuple[Group, ...]) -> None:
        self.facts, self.groups = facts, groups
        self.pages = {page.slug: page for group in groups for page in group.pages}

    @cached_property
    def index(self) -> Index:
        return Index(self.pages.values())

    def neighbours(self, page: Page) -> tuple[Page | None, Page | None]:
        """The pages before and after, in reading order."""
        order = list(self.pages.values())
        at = order.index(page)
        return (order[at - 1] if at else None, order[at + 1] if at + 1 < len(order) else None)

    def markdown(self, page: Page) -> str:
        """The page as agents read it: absolute links, because the text travels without its address."""
        return page.markdown.replace("](/", f"]({self.facts.base_url}/")


def load(facts: Facts) -> Site:
    """The documentation of this server. Raises BadDocs naming the file and what is wrong."""
    nav = tomllib.loads((facts.content / "nav.toml").read_text(encoding="utf-8"))
    groups = tuple(
        Group(entry["title"], tuple(_page(facts, slug, entry["title"]) for slug in _slugs(facts, entry["pages"])))
        for entry in nav["group"]
    )
    site = Site(facts, groups)
    for page in site.pages.values():
        _check_links(site, page)
    return site


def _slugs(facts: Facts, slugs: list[str]) -> Iterator[str]:
    """`integrations/*` stands for every file of the folder that is not named, by title."""
    for slug in slugs:
        if not slug.endswith("/*"):
            yield slug
            continue
        files = [path for path in (facts.content / slug[:-2]).glob("*.md") if path.stem != "index"]
        yield from (f"{slug[:-2]}/{path.stem}" for path in sorted(files, key=_title))


def _title(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0].lower()


def _page(facts: Facts, slug: str, group: str) -> Page:
    folder = facts.content / slug
    single = folder.with_suffix(".md") if folder.with_suffix(".md").exists() else folder / "index.md"
    files = [single] if single.exists() else sorted(folder.glob("[0-9]*.md"))
    if not files:
        raise BadDocs(f"{folder}: nav.toml names this page, and there is none")
    where = [str(path.relative_to(facts.content)) for path in files]
    sections = (
        read_section(path.read_text(encoding="utf-8"), facts, name) for path, name in zip(files, where, strict=True)
    )
    return Page(slug, group, tuple(sections))


def _check_links(site: Site, page: Page) -> None:
    for url in _LINK.findall(_FENCED.sub("", page.markdown)):
        path, _, fragment = url.partition("#")
        path = path.partition("?")[0] or page.url
        target = site.pages.get(path.removeprefix("/docs/")) if path.startswith("/docs/") else None
        if target is None and not site.facts.has_path(path):
            raise BadDocs(f"{page.slug}: the link to {url} leads nowhere")
        if target is not None and fragment and fragment not in target.ids:
            raise BadDocs(f"{page.slug}: {path} has no heading with the id {fragment}")
