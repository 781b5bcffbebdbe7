"""The pages a visitor opens first: the front door, prices, models and the state of the server."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from flask import Blueprint, Response, current_app, jsonify, render_template

from llmrack.catalog import CATEGORIES
from llmrack.docsite import tables

from ..extensions import context
from ..web import compression
from . import front_page, ollama_status

bp = Blueprint("pages", __name__)
bp.after_request(compression.pack)


@bp.app_context_processor
def words() -> dict[str, object]:
    """How numbers of the catalogue and the plans are written, on every page alike."""
    return {
        "window": tables.size,
        "dollars": tables.usd,
        "input_price": tables.input_price,
        "output_price": tables.output_price,
        "badges": tables.BADGES,
    }


@bp.get("/")
def home() -> str:
    return front_page.show()


@bp.get("/pricing")
def pricing() -> str:
    return render_template("pages/pricing.html", plans=list(context.plans.public), models=list(context.catalog))


@bp.get("/models")
def models() -> str:
    groups = [(*tables.BEST_FOR[name], [m for m in context.catalog if m.category == name]) for name in CATEGORIES]
    state = ollama_status.models(context)
    return render_template("pages/models.html", groups=[group for group in groups if group[2]], state=state)


@bp.get("/status")
def status() -> str:
    return render_template(
        "pages/status.html",
        state=ollama_status.models(context),
        queue=ollama_status.queue(context),
        database=ollama_status.database(context),
        models=list(context.catalog),
        now=datetime.now(UTC),
    )


@bp.get("/status.json")
def status_json() -> Response:
    """{"status", "database", "ollama", "models": {id: "loaded" | "installed" | "missing" | "unknown"}}.

    With a queue also "queue": {"hosts": [{"name", "is_up", "slots", "models": {id: requests}}],
    "waiting": {id: requests}}.
    """
    queue = ollama_status.queue(context)
    state, database = ollama_status.models(context), ollama_status.database(context)
    return jsonify(
        status=ollama_status.summary(context, state, is_database_up=database),
        database="ok" if database else "unavailable",
        ollama=state.version or "unavailable",
        models={model.id: state.of(model) for model in context.catalog},
        **({"queue": asdict(queue)} if queue else {}),
    )


@bp.get("/favicon.ico")
def favicon() -> Response:
    """For tools that ask for this name; pages carry their icon themselves."""
    return current_app.send_static_file("img/icon.svg")
