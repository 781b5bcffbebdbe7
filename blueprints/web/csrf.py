"""What every page behind a session has in common: no cache keeps a copy, and only its own forms change anything."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, request
from flask_wtf.csrf import validate_csrf
from werkzeug.exceptions import Forbidden
from werkzeug.routing import IntegerConverter, Map
from wtforms import ValidationError

from .params import LARGEST_ROW_ID

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
REFUSED = "This form is too old or came from another site. Go back, reload the page and send it again."


class RowId(IntegerConverter):
    """The number of a row in an address; what no database column can hold is no such address."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=LARGEST_ROW_ID)


def init_app(app: Flask) -> None:
    """Must run before blueprints are registered, whose routes use `<row:...>`."""
    app.url_map.converters["row"] = RowId


def protect(bp: Blueprint) -> None:
    """Check every change made through `bp`, and forbid caches to keep what it shows.

    Blueprints ask for it one by one: the API authenticates without cookies and pays nothing for this.
    """
    bp.before_request(refuse_foreign_forms)
    bp.after_request(forbid_copies)


def refuse_foreign_forms() -> None:
    """Raises Forbidden unless the browser says that one of our pages sent this, and the form's token agrees."""
    if request.method in SAFE:
        return
    if not _is_same_origin():
        raise Forbidden(REFUSED)
    try:
        validate_csrf(request.form.get("csrf_token") or request.headers.get("X-CSRFToken"))
    except ValidationError:
        raise Forbidden(REFUSED) from None


def _is_same_origin() -> bool:
    """Browsers tell by Sec-Fetch-Site, older ones by Origin. A client that tells neither is left to the token."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def forbid_copies(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
