"""The pages a visitor opens. So far: the front door."""

from flask import Blueprint, render_template, request

from .extensions import rack

bp = Blueprint("pages", __name__)


@bp.get("/")
def home() -> str:
    base_url = rack.settings.public_url or request.host_url.rstrip("/")
    return render_template("pages/home.html", base_url=base_url, models=list(rack.catalog))
