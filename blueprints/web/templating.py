"""Filters and globals for templates: values arrive finished, these only write them out and find addresses."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from flask import Flask, current_app, request, url_for

from llmrack import money

from . import formatting
from .assets import bundle_url

# What the header links to, in this order. A link shows once its endpoint exists.
SITE_LINKS = (
    ("Docs", "docs.index"),
    ("Models", "pages.models"),
    ("Pricing", "pages.pricing"),
    ("Playground", "playground.index"),
)
YEAR_S = 31_536_000


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(formatting.FILTERS, usd_per_million=money.usd_per_million)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(static_url=static_url, bundle_url=bundle_url, url_if=url_if, site_links=site_links)
    # An address with a content hash never changes its content, so browsers may keep it; any other is asked again.
    app.get_send_file_max_age = lambda filename: YEAR_S if request.args.get("v") else None  # type: ignore[method-assign]


def static_url(filename: str) -> str:
    """The address of a file in static/, with a hash of its content."""
    path = Path(current_app.static_folder or "") / filename
    return url_for("static", filename=filename, v=_hash(path, path.stat().st_mtime_ns))


@functools.cache
def _hash(path: Path, changed_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]


def url_if(endpoint: str) -> str | None:
    """The address of an endpoint, or None while nothing serves it."""
    return url_for(endpoint) if endpoint in current_app.view_functions else None


def site_links() -> list[tuple[str, str]]:
    return [(label, url) for label, endpoint in SITE_LINKS if (url := url_if(endpoint))]
