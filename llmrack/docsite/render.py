"""From expanded Markdown to HTML: highlighted code in boxes that can be copied, tables that scroll, linked headings."""

from __future__ import annotations

import functools
import html
import re

import markdown
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from . import headings

_EXTENSIONS = ["tables", "sane_lists", "toc", "fenced_code"]
_CODE = re.compile(r"<pre><code(?: class=\"language-([\w-]+)\")?>(.*?)</code></pre>", re.DOTALL)
_HEADING = re.compile(r"<h([2-4]) id=\"([^\"]+)\">(.*?)</h\1>", re.DOTALL)
_TABLE = re.compile(r"<table>(.*?)</table>", re.DOTALL)
_NOTE = re.compile(r"<blockquote>\s*<p><strong>(Tip|Note|Warning)</strong>")
_KINDS = {"Tip": "tip", "Note": "", "Warning": "warn"}
LABELS = {
    "bash": "Shell", "python": "Python", "javascript": "JavaScript", "json": "JSON", "yaml": "YAML", "toml": "TOML",
    "nginx": "nginx", "ini": "systemd", "http": "HTTP", "text": "Text",
}  # fmt: skip


class Renderer:
    """Renders the sections of one page. The ids it hands out are unique on that page."""

    def __init__(self, page: str) -> None:
        self._prefix = re.sub(r"[^a-z0-9]+", "-", page)
        self._codes = self._tables = 0

    def section(self, text: str) -> str:
        body = markdown.markdown(
            text,
            extensions=_EXTENSIONS,
            extension_configs={"toc": {"slugify": headings.slug}},
        )
        body = _CODE.sub(self._code_block, body)
        body = self._with_tables(body)
        body = _HEADING.sub(_linked, body)
        body = _NOTE.sub(lambda m: f'<blockquote class="alert {_KINDS[m[1]]}">\n<p><strong>{m[1]}</strong>', body)
        return body

    def code(self, code: str, lexer: str, label: str = "") -> str:
        """A box of highlighted code with a copy button, which scripts show."""
        self._codes += 1
        id_ = f"code-{self._prefix}-{self._codes}"
        label = label or LABELS.get(lexer, lexer)
        return (
            f'<div class="code"><div class="code-head" data-label="{html.escape(label)}">'
            f'<button class="button plain small copy script-only" type="button" data-copy="{id_}">'
            f'<span data-label>Copy</span><span class="visually-hidden"> {html.escape(label)}</span></button></div>'
            f'<pre tabindex="0"><code id="{id_}">{highlighted(code, lexer)}</code></pre></div>'
        )

    def _code_block(self, match: re.Match[str]) -> str:
        return self.code(html.unescape(match[2]).rstrip("\n"), match[1] or "text")

    def _with_tables(self, body: str) -> str:
        """Each table in a region that scrolls, named after the heading before it."""
        heading = "Table"
        parts = re.split(r"(<h[1-4] id=.*?</h[1-4]>)", body, flags=re.DOTALL)
        for index, part in enumerate(parts):
            if index % 2:
                heading = re.sub(r"<[^>]+>", "", part)
            else:
                parts[index] = _TABLE.sub(lambda match, name=heading: self._table(match, name), part)
        return "".join(parts)

    def _table(self, match: re.Match[str], heading: str) -> str:
        self._tables += 1
        inner = match[1].replace("<th>", '<th scope="col">')
        return (
            f'<div class="table-scroll" role="region" tabindex="0" aria-label="Table {self._tables}: {heading}">'
            f'<table class="table">{inner}</table></div>'
        )


@functools.lru_cache(maxsize=256)
def highlighted(code: str, lexer: str) -> str:
    """The code with one span per token that has a colour."""
    text: str = highlight(code, get_lexer_by_name(lexer, stripnl=False), HtmlFormatter(nowrap=True))
    # A class that no style names only costs bytes.
    text = re.sub(r'<span class="(?!(?:' + "|".join(COLOURED) + r')")[\w-]+">([^<]*)</span>', r"\1", text)
    return text.rstrip("\n")


# The token classes of Pygments that docs.css gives a colour.
COLOURED = (
    "c1", "cm", "ch", "cp", "k", "kn", "kd", "kc", "kr", "ow", "s", "s1", "s2", "se", "si", "sb", "sa", "dl",
    "mi", "mf", "nt", "nv", "nb", "nf", "nc", "na",
)  # fmt: skip


def _linked(match: re.Match[str]) -> str:
    level, id_, title = match[1], match[2], match[3]
    label = html.escape(html.unescape(re.sub(r"<[^>]+>", "", title)), quote=True)
    return (
        f'<h{level} id="{id_}">{title}<a class="anchor" href="#{id_}" aria-label="Link to {label}">'
        f'<span aria-hidden="true">#</span></a></h{level}>'
    )
