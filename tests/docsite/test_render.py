"""HTML: what the Markdown becomes."""

from __future__ import annotations

import pytest
from pygments.lexers import get_lexer_by_name

from llmrack.docsite.render import COLOURED, LABELS, Renderer, highlighted
from llmrack.settings import ROOT


def test_a_heading_can_be_linked() -> None:
    html = Renderer("p").section("## 1. The `n` field\n")
    assert html == (
        '<h2 id="the-n-field">1. The <code>n</code> field<a class="anchor" href="#the-n-field" '
        'aria-label="Link to 1. The n field"><span aria-hidden="true">#</span></a></h2>'
    )


def test_a_table_scrolls_in_a_region_named_after_its_heading() -> None:
    html = Renderer("p").section("## Limits\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n")
    assert 'role="region" tabindex="0" aria-label="Table 1: Limits"' in html
    assert '<th scope="col">a</th>' in html


def test_code_is_escaped_highlighted_and_can_be_copied() -> None:
    html = Renderer("p").section('```json\n{"a": "<script>"}\n```\n')
    assert 'data-copy="code-p-1"' in html
    assert '<span class="s2">"&lt;script&gt;"</span>' in html
    assert "<script>" not in html


def test_ids_of_code_are_unique_on_a_page() -> None:
    renderer = Renderer("a/b")
    html = renderer.section("```bash\nx\n```\n\n```bash\ny\n```\n") + renderer.code("z", "bash")
    assert [f'id="code-a-b-{number}"' in html for number in (1, 2, 3, 4)] == [True, True, True, False]


@pytest.mark.parametrize(("word", "kind"), [("Tip", "tip"), ("Warning", "warn"), ("Note", "")])
def test_a_quote_that_begins_with_its_kind_is_a_callout(word: str, kind: str) -> None:
    assert f'<blockquote class="alert {kind}">' in Renderer("p").section(f"> **{word}** Mind this.\n")


def test_only_tokens_with_a_colour_carry_a_class() -> None:
    html = highlighted("import os\nprint(f'{os.name}')  # why\n", "python")
    classes = {part.split('"')[0] for part in html.split('<span class="')[1:]}
    assert classes <= set(COLOURED)
    assert '<span class="kn">import</span>' in html


def test_every_label_has_a_lexer_and_every_colour_a_style() -> None:
    for name in LABELS:
        get_lexer_by_name(name)
    style = (ROOT / "static" / "css" / "code.css").read_text(encoding="utf-8")
    assert [name for name in COLOURED if f".{name}" not in style] == []
