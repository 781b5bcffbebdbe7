"""The served documentation: the same words as Markdown and as HTML, no dead link, and no fact of yesterday."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from llmrack import errors
from llmrack.docsite.headings import plain
from llmrack.docsite.site import Site
from llmrack.metering.limits import ANSWER_STEP_TOKENS
from llmrack.settings import ROOT
from llmrack.wire import fields
from llmrack.wire.openapi import headers
from llmrack.wire.parsed import MESSAGE_TOKENS
from tests.blueprints.v1.conftest import Api, issue, make_app
from tests.support.fake_ollama import FakeOllama

PUBLIC = ("/", "/pricing", "/models", "/status", "/playground", "/docs/search?q=stream")
_VOID = {"meta", "link", "br", "img", "input", "hr"}


def close(app: Flask) -> None:
    context = app.extensions["llmrack"]
    context.engines.live.close()
    context.store.engine.dispose()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, fake_ollama: FakeOllama) -> Iterator[Flask]:
    app = make_app(tmp_path_factory.mktemp("instance"), fake_ollama)
    yield app
    close(app)


@pytest.fixture(scope="module")
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="module")
def site(app: Flask) -> Site:
    found: Site = app.extensions["llmrack_docs"]
    return found


class Article(HTMLParser):
    """The words of a documentation page's article, without what only HTML has: buttons, marks and folded lists."""

    LEFT_OUT = ("script-only", "anchor", "doc-tools", "doc-contents", "doc-next")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self._open: list[bool] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            return
        classes = (dict(attrs).get("class") or "").split()
        is_article = tag == "article" or bool(self._open and self._open[-1])
        self._open.append(is_article and not set(classes) & set(self.LEFT_OUT))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1]:
            self.text.append(data)


class Links(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.ids: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.ids.add(str(values["id"]))
        for name in ("href", "src", "action"):
            if values.get(name):
                self.urls.append(str(values[name]))


def html_words(html: str) -> list[str]:
    return re.findall(r"\w+", " ".join(Article(html).text))


def markdown_words(text: str) -> list[str]:
    outside = [plain(part) if index % 2 == 0 else part for index, part in enumerate(_by_fence(text))]
    return re.findall(r"\w+", " ".join(outside))


# What Markdown writes at the start of a line, and no reader sees: numbers of lists, lines below the head of a table.
_MARKS = re.compile(r"^\d+\. |^\|[-| ]+\|$", re.MULTILINE)


def _by_fence(text: str) -> list[str]:
    """Text outside and inside of fenced code, in turn."""
    parts = re.split(r"^```\w*$", text, flags=re.MULTILINE)
    parts[::2] = [_MARKS.sub("", part) for part in parts[::2]]
    return parts


def slugs() -> list[str]:
    content = ROOT / "docs_content"
    tools = [path.stem for path in sorted((content / "integrations").glob("*.md")) if path.stem != "index"]
    pages = [path.parent.name for path in sorted(content.glob("*/00-*.md"))]
    return [*pages, "integrations", *(f"integrations/{tool}" for tool in tools)]


@pytest.mark.parametrize("slug", slugs())
def test_a_page_has_the_same_words_as_markdown_and_as_html(slug: str, client: FlaskClient) -> None:
    html = client.get(f"/docs/{slug}").get_data(as_text=True)
    markdown = client.get(f"/docs/{slug}.md")
    assert markdown.content_type == "text/markdown; charset=utf-8"
    assert html_words(html) == markdown_words(markdown.get_data(as_text=True))


def test_every_page_is_in_the_menu_and_every_menu_entry_is_a_page(site: Site) -> None:
    assert set(site.pages) == set(slugs())


def test_agents_get_markdown_by_asking_for_it(client: FlaskClient) -> None:
    asked = client.get("/docs/quickstart", headers={"Accept": "text/markdown"})
    assert asked.content_type == "text/markdown; charset=utf-8"
    assert asked.get_data() == client.get("/docs/quickstart.md").get_data()
    assert client.get("/docs/quickstart", headers={"Accept": "*/*"}).mimetype == "text/html"
    assert "Accept" in asked.vary


def test_the_files_for_agents_name_every_page(client: FlaskClient, site: Site) -> None:
    llms, sitemap = (client.get(path).get_data(as_text=True) for path in ("/llms.txt", "/sitemap.xml"))
    full = client.get("/llms-full.txt").get_data(as_text=True)
    for page in site.pages.values():
        assert f"]({site.facts.base_url}{page.url}.md)" in llms
        assert f"<loc>{site.facts.base_url}{page.url}</loc>" in sitemap
        assert site.markdown(page) in full
    assert f"Sitemap: {site.facts.base_url}/sitemap.xml" in client.get("/robots.txt").get_data(as_text=True)


def test_no_link_and_no_fragment_of_any_public_page_is_dead(client: FlaskClient, site: Site) -> None:
    pages: dict[str, Links] = {}

    def read(path: str) -> Links | None:
        if path not in pages:
            with client.get(path, headers={"Accept": "text/html"}) as reply:
                assert reply.status_code in (200, 302, 303), f"{path}: {reply.status_code}"
                pages[path] = Links(reply.get_data(as_text=True) if reply.mimetype == "text/html" else "")
        return pages[path]

    checked = fragments = 0
    for start in [*PUBLIC, *(page.url for page in site.pages.values())]:
        for url in list(read(start).urls):  # type: ignore[union-attr]
            target, fragment = urldefrag(urljoin(start, url))
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                assert parts.scheme in ("https", "mailto", "data") or target.startswith(site.facts.base_url), target
                continue
            checked += 1
            if parts.path in ("/try",):
                continue
            found = read(target)
            if fragment and found is not None and "/login" not in target:
                fragments += 1
                assert fragment in found.ids, f"{start} links to {url}"
    print(f"{checked} links, {fragments} fragments, {len(pages)} addresses: none dead")


def test_an_unknown_page_is_a_404(client: FlaskClient) -> None:
    reply = client.get("/docs/nothing")
    assert reply.status_code == 404
    assert reply.get_json()["error"]["code"] == "not_found"


def test_every_error_type_and_code_has_an_anchor(site: Site) -> None:
    ids = site.pages["errors"].ids
    listed = {code for kind in errors.ERRORS for code in kind.codes}
    assert sorted(listed - set(ids)) == []
    assert sorted(id_ for id_ in ids if "_" in id_ and id_ not in listed and not id_[0].isdigit()) == []
    assert [f"{kind.status}-{kind.type}" for kind in errors.ERRORS if f"{kind.status}-{kind.type}" not in ids] == []


def test_the_documented_headers_are_those_that_are_sent(app: Flask) -> None:
    api = Api(app.test_client(), issue(app.extensions["llmrack"], None, "live"))
    sent = {name.lower() for name, _ in api.post("/chat/completions", {"model": "phi-3-mini"}).headers}
    only_sometimes = {"retry-after", "x-should-retry", "x-llmrack-mode", "x-llmrack-ignored", "x-llmrack-replaced"}
    documented = {header.name.lower() for header in headers.HEADERS}
    assert documented - only_sometimes - sent == set()
    assert {name for name in sent if name.startswith(("x-ratelimit", "x-llmrack"))} <= documented


def test_the_limits_page_names_the_tokens_that_are_held(client: FlaskClient) -> None:
    page = client.get("/docs/limits.md").get_data(as_text=True)
    assert f"the first {ANSWER_STEP_TOKENS} tokens of its answer, and {ANSWER_STEP_TOKENS} more" in page
    assert f"one for each byte, {MESSAGE_TOKENS} for each message" in page


def test_documentation_pages_are_compressed_and_asked_for_by_tag(client: FlaskClient, site: Site) -> None:
    largest = 0
    for page in site.pages.values():
        reply = client.get(page.url, headers={"Accept-Encoding": "gzip"})
        largest = max(largest, len(reply.data))
        assert reply.headers["Content-Encoding"] == "gzip"
        again = client.get(page.url, headers={"If-None-Match": reply.headers["ETag"]})
        assert again.status_code == 304
        assert gzip.decompress(reply.data) == client.get(page.url).data
    print(f"largest page of the documentation: {largest} bytes")
    assert largest <= 35_000


def everything(client: FlaskClient, site: Site) -> dict[str, str]:
    """The text of every public page and file."""
    paths = [*PUBLIC, "/llms.txt", "/llms-full.txt", "/openapi.json", "/docs/search.json"]
    for page in site.pages.values():
        paths += [page.url, f"{page.url}.md"]
    # Agents that probe /models get JSON; browsers say what they want.
    return {path: client.get(path, headers={"Accept": "text/html,*/*"}).get_data(as_text=True) for path in paths}


def changed(folder: Path, ollama: FakeOllama, models: str = "", plans: str = "", **settings: Any) -> dict[str, str]:
    (folder / "models.toml").write_text(models, encoding="utf-8")
    (folder / "plans.toml").write_text(plans, encoding="utf-8")
    app = make_app(folder, ollama, **settings)
    try:
        return everything(app.test_client(), app.extensions["llmrack_docs"])
    finally:
        close(app)


def where(texts: dict[str, str], pattern: str) -> list[str]:
    return [path for path, text in texts.items() if re.search(pattern, text)]


def test_a_changed_price_changes_every_page(tmp_path: Path, fake_ollama: FakeOllama) -> None:
    models = '[models.phi-3-mini]\ninput_usd_per_million = "0.77"\noutput_usd_per_million = "0.78"\n'
    texts = changed(tmp_path, fake_ollama, models=models)
    assert where(texts, r"\$0\.04|\"0\.04\"") == []
    assert {"/", "/pricing", "/models", "/playground", "/docs/quickstart", "/docs/quickstart.md"} <= set(
        where(texts, r"\$0\.77")
    )


def test_a_changed_limit_changes_every_page(tmp_path: Path, fake_ollama: FakeOllama) -> None:
    plans = '[plans.pro]\ntokens_per_day = 551234\nusd_per_month = "16"\n[plans.business]\nrequests_per_minute = 547\n'
    texts = changed(tmp_path, fake_ollama, plans=plans)
    assert where(texts, r"550,000|550000|\$15\b") == []
    for new in (r"551,234", r"\$16\b", r"\b547\b"):
        assert {"/pricing", "/docs/quickstart", "/docs/limits", "/docs/limits.md"} <= set(where(texts, new)), new


def test_a_model_that_is_gone_is_gone_from_every_page(tmp_path: Path, fake_ollama: FakeOllama) -> None:
    models = "".join(f'[models."{id_}"]\nenabled = false\n' for id_ in ("llama-3.1-8b", "phi-3-mini"))
    texts = changed(tmp_path, fake_ollama, models=models)
    del texts["/openapi.json"]  # Its examples are fixed; the list of models in it is not.
    # The shipped row with a long window is off and stays one that can be switched on.
    assert where(texts, r"llama-3\.1-8b(?!-64k)|phi-3-mini") == []
    assert "mistral-7b" in texts["/docs/integrations/aider.md"]


def test_a_changed_window_changes_every_page(tmp_path: Path, fake_ollama: FakeOllama) -> None:
    texts = changed(tmp_path, fake_ollama, models="[models.nomic-embed]\nnum_ctx = 1777\n")
    assert where(texts, r"\b2,048\b") == []
    assert {"/", "/models", "/docs/quickstart"} <= set(where(texts, r"1,777"))
    assert "contextWindow: 1777" in texts["/docs/integrations/openclaw.md"]


def test_a_changed_field_changes_every_page(
    tmp_path: Path, fake_ollama: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = fields.CHAT["seed"]
    monkeypatch.setitem(fields.CHAT, "seed", replace(row, status="accepted", notes="Read and then forgotten."))
    texts = changed(tmp_path, fake_ollama)
    new = set(where(texts, "Read and then forgotten"))
    assert {"/docs/quickstart", "/docs/quickstart.md", "/docs/api", "/docs/api.md", "/llms-full.txt"} <= new
    line = next(line for line in texts["/docs/quickstart.md"].splitlines() if line.startswith("| `seed` |"))
    assert line == "| `seed` | accepted | Read and then forgotten. |"


def test_the_pages_show_the_address_users_reach(tmp_path: Path, fake_ollama: FakeOllama) -> None:
    texts = changed(tmp_path, fake_ollama, public_url="https://llm.example.org/")
    shown = set(where(texts, r"https://llm\.example\.org/v1"))
    assert {path for path in texts if path.startswith("/docs/integrations/") and path.endswith(".md")} <= shown
    assert where(texts, r"127\.0\.0\.1:8000/v1") == []
