"""GET /openapi.json: the API as a document that tools read."""

from __future__ import annotations

import hashlib

import msgspec
from flask import Blueprint, Response, request

import llmrack
from llmrack.wire.openapi import document

from ..extensions import context
from ..web.mail import site_url

bp = Blueprint("openapi", __name__)


@bp.get("/openapi.json")
def get_openapi() -> Response:
    """The same for everyone, and readable from any site."""
    url = site_url()
    body = msgspec.json.encode(document.document(context.catalog, url, llmrack.__version__))
    response = Response(body, mimetype="application/json")
    response.headers["Access-Control-Allow-Origin"] = "*"
    # Without a public address the document repeats the Host of its reader, which is for no one else.
    response.headers["Cache-Control"] = "public, max-age=300" if context.settings.public_url else "private, no-cache"
    response.set_etag(hashlib.sha256(body).hexdigest()[:32])
    response.make_conditional(request)
    return response
