"""What manages an Ollama: no key may."""

from __future__ import annotations

from flask import Blueprint, Response, request

from llmrack.errors import PermissionRefused

bp = Blueprint("operators", __name__)


@bp.post("/pull")
@bp.post("/push")
@bp.post("/create")
@bp.post("/copy")
@bp.delete("/delete")
@bp.post("/me")
@bp.post("/signout")
def refuse() -> Response:
    """Raises PermissionRefused."""
    raise PermissionRefused(
        f"{request.path} is not for keys: the models of this server are its operator's. GET /api/tags lists them."
    )


@bp.route("/blobs/<path:digest>", methods=["HEAD", "POST"])
def refuse_blob(digest: str) -> Response:
    """Raises PermissionRefused."""
    return refuse()
