"""The site: pages in order, checked links, headings with stable ids."""

from __future__ import annotations

import pytest

from llmrack.docsite import site
from llmrack.docsite.facts import BadDocs
from llmrack.docsite.headings import find, plain, slug
from tests.docsite.conftest import Write

FIRST = "# A\n\nAbout it.\n"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("3. Stream tokens", "stream-tokens"),
        ("5. Tool calling, end to end", "tool-calling-end-to-end"),
        ("400 invalid_request_error", "400-invalid_request_error"),
        ("`n` and `stop`", "n-and-stop"),
        ("Already using OpenAI?", "already-using-openai"),
    ],
)
def test_the_id_of_a_heading_leaves_its_number_out(title: str, expected: str) -> None:
    assert slug(title) == expected


def test_a_hash_inside_code_is_no_heading() -> None:
    text = "# A\n\n```bash\n# not one\n```\n\n## B\n~~~\n## nor this\n~~~\n"
    assert [(heading.level, heading.title) for heading in find(text)] == [(1, "A"), (2, "B")]


def test_plain_text_has_the_words_without_the_markup() -> None:
    assert plain("**Set** `max_tokens` in [the *form*](/x)") == "Set max_tokens in the form"


def test_a_folder_is_a_page_and_its_files_are_its_sections(write: Write) -> None:
    loaded = site.load(write({"a/00-start.md": FIRST, "a/01-more.md": "## 1. More\n\nText."}))
    page = loaded.pages["a"]
    assert (page.title, page.description, page.ids) == ("A", "About it.", ["a", "more"])
    assert page.markdown == "# A\n\nAbout it.\n\n## 1. More\n\nText.\n"


def test_a_star_stands_for_the_pages_of_a_folder_by_title(write: Write) -> None:
    nav = '[[group]]\ntitle = "G"\npages = ["a", "a/*"]\n'
    files = {"nav.toml": nav, "a/index.md": FIRST, "a/z.md": "# Early\n\nE.", "a/b.md": "# Late\n\nL."}
    assert list(site.load(write(files)).pages) == ["a", "a/z", "a/b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[x](/nowhere)", "a: the link to /nowhere leads nowhere"),
        ("[x](/docs/b)", "the link to /docs/b leads nowhere"),
        ("[x](#b)", "has no heading with the id b"),
        ("[x](/docs/a#b)", "/docs/a has no heading with the id b"),
        ("[[nonsense]]", "unknown tag"),
        ("[[rail nonsense]]", "no such rail"),
        ("## A\n\n## A", "two headings share the id a"),
    ],
)
def test_what_is_broken_stops_the_start(write: Write, text: str, said: str) -> None:
    with pytest.raises(BadDocs, match=said):
        site.load(write({"a.md": f"{FIRST}\n{text}\n\n[[rail nonsense]]" if "rail" in text else f"{FIRST}\n{text}\n"}))


def test_links_that_lead_somewhere_are_let_through(write: Write) -> None:
    site.load(write({"a.md": FIRST + "\n[x](/pricing) [y](#b) [z](https://example.org)\n\n## B\n"}))


def test_a_page_without_a_title_is_refused(write: Write) -> None:
    with pytest.raises(BadDocs, match="the first line of a page is its title"):
        site.load(write({"a.md": "## Not a title\n"}))


def test_the_menu_names_only_pages_that_exist(write: Write) -> None:
    with pytest.raises(BadDocs, match="nav.toml names this page"):
        site.load(write({"b.md": FIRST}))


def test_a_rail_goes_to_the_end_of_its_section_in_every_language_it_has(write: Write) -> None:
    files = {"a.md": FIRST + "\n[[rail r]]\n\nAfter.", "rail/r/curl.sh": "curl x\n", "rail/r/python.py": "print()\n"}
    page = site.load(write(files)).pages["a"]
    assert page.markdown.endswith(
        "After.\n\n**cURL**\n\n```bash\ncurl x\n```\n\n**Python**\n\n```python\nprint()\n```\n"
    )
    assert [language.id for language, _ in page.rendered[0].rails[0].panels] == ["curl", "python"]


def test_the_markdown_for_agents_has_absolute_links(write: Write) -> None:
    loaded = site.load(write({"a.md": FIRST + "\n[x](/pricing)\n"}))
    assert "[x](https://llm.example.org/pricing)" in loaded.markdown(loaded.pages["a"])
