"""Pages for everybody, and the files they load."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from llmrack.accounts import people
from llmrack.inference.context import AppContext
from tests.blueprints.v1.conftest import make_app
from tests.support.fake_ollama import FakeOllama
from tests.support.visitor import Visitor, make_person

PAGES = ("/", "/models", "/pricing", "/status", "/docs/quickstart", "/docs/search?q=stream", "/playground", "/reset")


def test_public_pages_set_no_cookie(app: Flask, visitor: Visitor) -> None:
    for path in ("/", "/docs", "/models", "/pricing", "/status", "/openapi.json", "/healthz"):
        assert "Set-Cookie" not in visitor.get(path).headers, path


def cached(visitor: Visitor, path: str) -> str:
    # A static file stays open until the answer that sends it is closed.
    with visitor.get(path) as answer:
        return answer.headers["Cache-Control"]


def test_files_are_kept_for_a_year_by_their_content(visitor: Visitor) -> None:
    page = visitor.get("/login").text
    addresses = [part.split('"')[0] for part in page.split('="')[1:] if part.startswith(("/static/", "/assets/"))]
    assert len(addresses) >= 3
    for address in addresses:
        assert "max-age=31536000" in cached(visitor, address), address
        assert "max-age=31536000" not in cached(visitor, address.partition("?")[0]), address


@pytest.mark.parametrize("path", [*PAGES, "/no/such/page"])
def test_public_pages_know_who_is_signed_in(visitor: Visitor, member: Visitor, email: str, path: str) -> None:
    stranger = Visitor(visitor.app, "10.253.0.1")
    for who, is_known in ((stranger, False), (member, True), (stranger, False)):
        header = who.get(path).text.partition("</header>")[0]
        assert (email in header, 'href="/dashboard"' in header) == (is_known, is_known)
        assert ('href="/login"' in header) == (not is_known)


@pytest.mark.parametrize("path", [*PAGES, "/no/such/page"])
def test_a_page_that_names_its_reader_is_kept_by_no_shared_cache(member: Visitor, email: str, path: str) -> None:
    answer = member.get(path)
    assert email in answer.text
    assert answer.cache_control.private or answer.cache_control.no_store
    assert not answer.cache_control.public
    stranger = Visitor(member.app, "10.253.0.2").get(path)
    if not stranger.cache_control.no_store:
        # What a cache asks again with is another tag for each reader, and it is told that the cookie decides.
        assert stranger.headers["Cache-Control"] == "no-cache"
        assert "Cookie" in stranger.vary
        assert "Cookie" in answer.vary
        assert stranger.headers["ETag"] != answer.headers["ETag"]
        assert member.get(path, **{"If-None-Match": stranger.headers["ETag"]}).status_code == 200
        again = member.get(path, **{"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.headers["Cache-Control"]) == (304, "private, no-cache")
        assert "Set-Cookie" not in answer.headers


def test_a_page_that_names_its_reader_is_not_compressed_with_what_a_request_brings(member: Visitor, email: str) -> None:
    packed = member.get("/docs/limits", **{"Accept-Encoding": "gzip"})
    assert email in gzip.decompress(packed.get_data()).decode()
    reflected = member.get(f"/docs/search?q={email}", **{"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in reflected.headers
    strangers = Visitor(member.app, "10.253.0.3").get("/docs/search?q=x", **{"Accept-Encoding": "gzip"})
    assert strangers.headers["Content-Encoding"] == "gzip"


def test_after_signing_out_public_pages_know_nobody(member: Visitor, email: str) -> None:
    member.post("/logout", page="/dashboard")
    assert email not in member.get("/docs/limits").text


def test_a_name_is_shown_as_text_whatever_it_is(
    app: Flask, context: AppContext, another: Callable[[], Visitor]
) -> None:
    account_id = make_person(app, "mallory@example.com")
    people.set_profile(context.store, account_id, "</a><script>alert(1)</script>")
    person = another()
    person.sign_in("mallory@example.com")
    assert "<script>alert" not in person.get("/pricing").text


def test_public_pages_are_there_while_the_database_is_not(tmp_path: Path, fake_ollama: FakeOllama) -> None:
    folder = tmp_path / "instance"
    folder.mkdir()
    app = make_app(folder, fake_ollama)
    context: AppContext = app.extensions["llmrack"]
    try:
        make_person(app, "ada@example.com")
        ada = Visitor(app)
        ada.sign_in("ada@example.com")
        assert "ada@example.com" in ada.get("/docs/limits").text
        context.store.engine.dispose()
        folder.rename(tmp_path / "away")
        for path in ("/", "/docs/limits", "/pricing", "/status"):
            answer = ada.get(path)
            assert (answer.status_code, "ada@example.com" in answer.text) == (200, False), path
        assert ada.get("/dashboard").status_code == 503
    finally:
        context.engines.live.close()
        context.store.engine.dispose()
