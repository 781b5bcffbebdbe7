"""The changelog: CHANGES.md as a page and as an Atom feed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.sax.saxutils import escape

from ..settings import ROOT

FILE = ROOT / "CHANGES.md"


@dataclass(frozen=True)
class Release:
    """One heading of the file: `## 1.2.0, 2026-11-22`, or `## Unreleased` with an empty date."""

    name: str
    date: str
    text: str


def releases() -> list[Release]:
    parts = re.split(r"^## +(.+)$", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return [_release(title, text) for title, text in zip(parts[::2], parts[1::2], strict=True)]


def _release(title: str, text: str) -> Release:
    match = re.search(r"\d{4}-\d\d-\d\d", title)
    return Release(re.split(r"[,(]", title)[0].strip(), match[0] if match else "", text.strip())


def markdown() -> str:
    return "\n\n".join(
        f"## {release.name}{f', {release.date}' if release.date else ''}\n\n{release.text}" for release in releases()
    )


def feed(base_url: str, now: str) -> str:
    """An Atom feed with one entry per release. `now` is RFC 3339 and dates what has no date yet."""
    entries = "".join(_entry(release, base_url, now) for release in releases())
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        f"<title>LLMRack changes</title><id>{escape(base_url)}/docs/changelog</id><updated>{now}</updated>"
        f'<link rel="self" href="{escape(base_url)}/docs/changelog.xml"/>'
        f'<link href="{escape(base_url)}/docs/changelog"/><author><name>LLMRack</name></author>{entries}</feed>\n'
    )


def _entry(release: Release, base_url: str, now: str) -> str:
    updated = f"{release.date}T00:00:00Z" if release.date else now
    url = f"{escape(base_url)}/docs/changelog#{re.sub(r'[^a-z0-9]+', '', release.name.lower())}"
    return (
        f"<entry><title>LLMRack {escape(release.name)}</title><id>{url}</id><updated>{updated}</updated>"
        f'<link href="{url}"/><content type="text">{escape(release.text)}</content></entry>'
    )
