"""Headings of a Markdown text and the ids under which they are linked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"^(#{1,4}) +(.+?)\s*$")


@dataclass(frozen=True)
class Heading:
    level: int
    title: str
    line: int

    @property
    def id(self) -> str:
        return slug(self.title)


def slug(title: str, separator: str = "-") -> str:
    """The id of a heading. A leading number is left out, so that renumbering breaks no link."""
    plain = re.sub(r"^\d+\.\s+", "", title.replace("`", ""))
    return re.sub(r"[\s/–-]+", separator, re.sub(r"[^\w\s/–-]", "", plain).strip().lower())


def find(markdown: str) -> Iterator[Heading]:
    """The headings outside of fenced code."""
    fence = ""
    for number, line in enumerate(markdown.splitlines()):
        opened = _FENCE.match(line)
        if opened and (not fence or opened[1].startswith(fence)):
            fence = "" if fence else opened[1]
        elif not fence and (match := _HEADING.match(line)):
            yield Heading(len(match[1]), match[2], number)


def plain(markdown: str) -> str:
    """The words of a line or a paragraph without its markup."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    return re.sub(r"[`*]", "", text)
