"""Pages for everybody, and the files they load."""

from flask import Flask

from tests.support.visitor import Visitor


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
