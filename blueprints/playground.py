"""The playground."""

from __future__ import annotations

from flask import Blueprint, render_template

from . import compression
from .extensions import rack

bp = Blueprint("playground", __name__)
bp.after_request(compression.pack)


@bp.get("/playground")
def index() -> str:
    return render_template("playground/index.html", models=list(rack.catalog))
