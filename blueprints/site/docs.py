"""The documentation: pages for people, the same as Markdown for programs, search, and the files crawlers ask for."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, Flask, Response, current_app, jsonify, redirect, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as WerkzeugResponse

from llmrack import __version__, deployment, security_txt
from llmrack.docsite import agents, changes
from llmrack.docsite.facts import Facts
from llmrack.docsite.pages import Page
from llmrack.docsite.site import load
from llmrack.engines.sandbox import TRIGGERS
from llmrack.engines.sandbox.tool_calls import inert
from llmrack.errors import NotFound
from llmrack.metering.outcomes import OUTCOMES
from llmrack.teams.roles import RIGHTS, ROLES

from ..account import web_session
from ..extensions import context, site
from ..web import compression

bp = Blueprint("docs", __name__)
bp.after_request(compression.pack)


FIRST_PAGE = "quickstart"
MARKDOWN = "text/markdown; charset=utf-8"
# Pages of other blueprints that search engines should know.
PUBLIC_PATHS = ("/", "/pricing", "/models", "/playground", "/status")


def init_app(app: Flask) -> None:
    """Read and check the documentation. Comes after every blueprint: links are checked against what is served.

    Raises BadDocs, which stops the start.
    """
    app.extensions["llmrack_docs"] = load(facts(app))
    app.extensions["llmrack_docs_pages"] = {}


def facts(app: Flask) -> Facts:
    loaded = app.extensions["llmrack"]
    return Facts(
        base_url=deployment.base_url(loaded.settings),
        version=__version__,
        catalog=loaded.catalog,
        plans=loaded.plans,
        settings=loaded.settings,
        triggers=TRIGGERS,
        inert_arguments=inert.ROWS,
        outcomes=tuple(OUTCOMES.values()),
        roles=tuple(ROLES.values()),
        rights=tuple((right.name, right.help) for right in RIGHTS),
        has_path=lambda path: _is_served(app, path),
    )


def _is_served(app: Flask, path: str) -> bool:
    try:
        app.url_map.bind("").match(path, "GET")
    except HTTPException as exc:
        # A route that only wants another slash is one.
        return (exc.code or 404) < 400
    return True


@bp.get("/docs")
def index() -> WerkzeugResponse:
    return redirect(f"/docs/{FIRST_PAGE}")


@bp.get("/docs/<path:slug>")
def page(slug: str) -> Response | str:
    found = site.pages.get(slug.removesuffix(".md"))
    if found is None:
        raise NotFound(f"There is no page {request.path}. The menu of /docs lists all of them.")
    wants = request.accept_mimetypes.best_match(("text/html", "text/markdown"), default="text/html")
    if slug.endswith(".md") or wants == "text/markdown":
        return Response(site.markdown(found), content_type=MARKDOWN)
    return _show(found)


def _show(found: Page) -> str:
    """A page is the same for all readers without a session, and making it takes 5,000 calls."""
    if web_session.known_viewer() is not None:
        return _rendered(found)
    kept: dict[str, str] = current_app.extensions["llmrack_docs_pages"]
    if found.slug not in kept:
        kept[found.slug] = _rendered(found)
    return kept[found.slug]


def _rendered(found: Page) -> str:
    before, after = site.neighbours(found)
    return render_template("docs/page.html", site=site, page=found, before=before, after=after)


@bp.get("/docs/search")
def search() -> str:
    """The results as a page: what the search box leads to without scripts."""
    query = request.args.get("q", "").strip()[:200]
    return render_template("docs/search.html", site=site, query=query, results=site.index.find(query))


@bp.get("/docs/search.json")
def search_index() -> Response:
    """The whole index, which the browser searches by itself."""
    return jsonify(site.index.plain())


@bp.get("/docs/changelog.xml")
def changelog_feed() -> Response:
    now = f"{datetime.now(UTC):%Y-%m-%dT00:00:00Z}"
    return Response(changes.feed(site.facts.base_url, now), mimetype="application/atom+xml")


@bp.get("/llms.txt")
def llms() -> Response:
    return Response(agents.llms(site), mimetype="text/plain")


@bp.get("/llms-full.txt")
def llms_full() -> Response:
    return Response(agents.llms_full(site), mimetype="text/plain")


@bp.get("/robots.txt")
def robots() -> Response:
    return Response(agents.robots(site), mimetype="text/plain")


@bp.get("/.well-known/security.txt")
def security() -> Response:
    """Where to report a weakness of this server; a 404 where its operator names nothing."""
    settings = context.settings
    contact = security_txt.contact(settings.security_contact)
    if contact is None:
        raise NotFound("This server names no address for reports of weaknesses.")
    body = security_txt.text(contact, settings.public_url, datetime.now(UTC))
    return Response(body, content_type="text/plain; charset=utf-8")


@bp.get("/sitemap.xml")
def sitemap() -> Response:
    return Response(agents.sitemap(site, list(PUBLIC_PATHS)), mimetype="application/xml")
