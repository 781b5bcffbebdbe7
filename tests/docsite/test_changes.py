"""The changelog as a feed."""

from __future__ import annotations

from xml.etree import ElementTree

from llmrack.docsite import changes

ATOM = "{http://www.w3.org/2005/Atom}"


def test_the_feed_has_one_entry_per_release() -> None:
    feed = ElementTree.fromstring(changes.feed("https://a.example", "2026-01-01T00:00:00Z"))  # noqa: S314
    entries = feed.findall(f"{ATOM}entry")
    assert [entry.findtext(f"{ATOM}title") for entry in entries] == [f"LLMRack {r.name}" for r in changes.releases()]
    assert all(entry.findtext(f"{ATOM}content") for entry in entries)


def test_the_page_says_what_the_file_says() -> None:
    text = changes.markdown()
    assert all(release.text in text for release in changes.releases())
