"""Stylesheets and scripts of a page as one file each: fewer requests, compressed once, kept by browsers for a year."""

from __future__ import annotations

import functools
import gzip
import hashlib
from pathlib import Path
from typing import NamedTuple

from flask import Blueprint, Response, current_app, request, url_for

from llmrack.errors import NotFound

bp = Blueprint("assets", __name__)

TYPES = {"css": "text/css", "js": "text/javascript"}
FOREVER = "public, max-age=31536000, immutable"


class Bundle(NamedTuple):
    hash: str
    plain: bytes
    packed: bytes


def bundle_url(kind: str, names: list[str]) -> str:
    """The address of several files of static/<kind> as one, with a hash of their content."""
    joined = "+".join(names)
    return url_for("assets.bundle", kind=kind, names=joined, v=_bundle(*_paths(kind, joined)).hash)


@bp.get("/assets/<kind>/<names>")
def bundle(kind: str, names: str) -> Response:
    found = _bundle(*_paths(kind, names))
    is_packed = request.accept_encodings.quality("gzip") > 0
    response = Response(found.packed if is_packed else found.plain, content_type=f"{TYPES[kind]}; charset=utf-8")
    response.headers["Cache-Control"] = FOREVER if request.args.get("v") == found.hash else "no-cache"
    response.headers["Vary"] = "Accept-Encoding"
    if is_packed:
        response.headers["Content-Encoding"] = "gzip"
    return response


def _paths(kind: str, names: str) -> tuple[tuple[Path, int], ...]:
    """The files with the time of their last change; only plain names of files that exist."""
    folder = Path(current_app.static_folder or "") / kind
    paths = [folder / f"{name}.{kind}" for name in names.split("+")]
    if kind not in TYPES or len(paths) > 8 or any(path.parent != folder or not path.is_file() for path in paths):
        raise NotFound("There is no such file.")
    return tuple((path, path.stat().st_mtime_ns) for path in paths)


@functools.lru_cache(maxsize=64)
def _bundle(*files: tuple[Path, int]) -> Bundle:
    plain = b"\n".join(path.read_bytes() for path, _ in files)
    return Bundle(hashlib.sha256(plain).hexdigest()[:10], plain, gzip.compress(plain, 9, mtime=0))
