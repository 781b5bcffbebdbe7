"""The pages a visitor opens first: the front door, prices, models and the state of the server."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template
from werkzeug.wrappers import Response

from llmrack.catalog import CATEGORIES
from llmrack.docsite import rail, tables

from . import compression, docs, serverstate
from .extensions import rack

bp = Blueprint("pages", __name__)
bp.after_request(compression.pack)


@bp.app_template_filter("window")
def window(tokens: int) -> str:
    return tables.size(tokens)


@bp.get("/")
def home() -> str:
    facts = docs.site.facts
    return render_template(
        "pages/home.html", base_url=facts.base_url, models=list(rack.catalog), snippets=rail.load(facts, "chat")
    )


@bp.get("/pricing")
def pricing() -> str:
    return render_template("pages/pricing.html", plans=list(rack.plans), models=list(rack.catalog))


@bp.get("/models")
def models() -> str:
    state = serverstate.models(rack)
    groups = [(name, [model for model in rack.catalog if model.category == name]) for name in CATEGORIES]
    return render_template("pages/models.html", groups=groups, state=state, best_for=tables.BEST_FOR)


@bp.get("/status")
def status() -> str:
    return render_template("pages/status.html", state=serverstate.models(rack), database=serverstate.database(rack))


@bp.get("/favicon.ico")
def favicon() -> Response:
    return redirect("/static/img/icon.svg", 301)
