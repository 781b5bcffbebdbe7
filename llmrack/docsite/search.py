"""Search over all pages: one entry per heading, the same list for the server and for the browser."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from . import headings
from .pages import Page

MOST_RESULTS = 30
# Enough text of a section to find it by any word that matters, while the whole index stays small.
LONGEST_TEXT = 1200
_WEIGHTS = {"page": 4, "heading": 8, "text": 1}


@dataclass(frozen=True)
class Entry:
    page: str
    heading: str
    url: str
    text: str


@dataclass(frozen=True)
class Result:
    """`before`, `match` and `after` are the words around the first hit in the text."""

    entry: Entry
    before: str
    match: str
    after: str


class Index:
    def __init__(self, pages: Iterable[Page]) -> None:
        self.entries = [entry for page in pages for entry in _entries(page)]
        self._lowered = [{name: value.lower() for name, value in asdict(entry).items()} for entry in self.entries]

    def plain(self) -> list[dict[str, Any]]:
        """The entries as JSON."""
        return [asdict(entry) for entry in self.entries]

    def find(self, query: str) -> list[Result]:
        """The sections that have every word of the query, best first."""
        terms = query.lower().split()[:8]
        if not terms:
            return []
        scored = ((_score(lowered, terms), index) for index, lowered in enumerate(self._lowered))
        best = sorted(((score, index) for score, index in scored if score), key=lambda pair: (-pair[0], pair[1]))
        return [_result(self.entries[index], terms) for _, index in best[:MOST_RESULTS]]


def _entries(page: Page) -> Iterable[Entry]:
    for section in page.sections:
        lines = section.markdown.splitlines()
        found = list(headings.find(section.markdown))
        ends = [heading.line for heading in found[1:]] + [len(lines)]
        for heading, end in zip(found, ends, strict=True):
            url = page.url if heading.level == 1 else f"{page.url}#{heading.id}"
            title = page.title if heading.level == 1 else headings.plain(heading.title)
            yield Entry(page.title, title, url, _text("\n".join(lines[heading.line + 1 : end])))


def _text(markdown: str) -> str:
    kept = re.sub(r"^```\w*$|^\|[-| ]+\|$", "", markdown, flags=re.MULTILINE).replace("|", " ")
    text = " ".join(headings.plain(kept).replace(">", " ").split())[:LONGEST_TEXT]
    # A long table is cut, and its later rows are looked for by their names.
    names = dict.fromkeys(name for name in re.findall(r"`([\w.-]{3,40})`", kept) if name not in text)
    return " ".join([text, *names])


def _score(lowered: dict[str, str], terms: list[str]) -> int:
    total = 0
    for term in terms:
        hits = sum(weight for name, weight in _WEIGHTS.items() if term in lowered[name])
        if not hits:
            return 0
        total += hits + 8 * (lowered["heading"] == term)
    return total


def _result(entry: Entry, terms: list[str]) -> Result:
    at, term = min(((entry.text.lower().find(term), term) for term in terms), key=lambda hit: (hit[0] < 0, hit[0]))
    if at < 0:
        return Result(entry, entry.text[:160], "", "")
    start = entry.text.rfind(" ", 0, max(0, at - 50)) + 1
    end = entry.text.find(" ", at + len(term) + 110)
    after = entry.text[at + len(term) : end] + " …" if end > 0 else entry.text[at + len(term) :]
    return Result(entry, entry.text[start:at], entry.text[at : at + len(term)], after)
