"""SCIM 2.0 for a directory that makes and ends accounts. The routes exist only where a token is set."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from llmrack import deployment
from llmrack.accounts import directory, people
from llmrack.accounts.directory import DirectoryUser, NoSuchUser, UserExists
from llmrack.errors import ApiError
from llmrack.wire import scim

from .extensions import context
from .web import csrf, program_access
from .web.params import LARGEST_ROW_ID

PREFIX = "/scim/v2"


def init_app(app: Flask) -> None:
    token: str = app.extensions["llmrack"].settings.scim_token
    if not token:
        return
    bp = Blueprint("scim", __name__)
    bp.after_request(csrf.forbid_copies)

    @bp.before_request
    def authenticate() -> Any:
        if not program_access.has_bearer(token):
            refusal = scim.error(401, "The bearer token is not LLMRACK_SCIM_TOKEN.")
            return _answer(refusal, 401, **{"WWW-Authenticate": "Bearer"})
        return None

    bp.register_error_handler(NoSuchUser, lambda _: _answer(scim.error(404, "There is no such user."), 404))
    bp.register_error_handler(
        UserExists, lambda _: _answer(scim.error(409, "Another user has this userName.", "uniqueness"), 409)
    )
    bp.register_error_handler(scim.BadScim, lambda error: _answer(scim.error(400, str(error), error.scim_type), 400))
    bp.register_error_handler(ApiError, lambda error: _answer(scim.error(error.status, error.message), error.status))
    bp.register_error_handler(
        HTTPException, lambda error: _answer(scim.error(error.code or 500, error.description or ""), error.code or 500)
    )
    bp.add_url_rule("/Users", view_func=list_users, methods=["GET"])
    bp.add_url_rule("/Users", view_func=create_user, methods=["POST"])
    bp.add_url_rule("/Users/<user_id>", view_func=get_user, methods=["GET"])
    bp.add_url_rule("/Users/<user_id>", view_func=change_user, methods=["PUT", "PATCH"])
    bp.add_url_rule("/Users/<user_id>", view_func=delete_user, methods=["DELETE"])
    bp.add_url_rule("/<any(ServiceProviderConfig, ResourceTypes, Schemas):kind>", view_func=describe, methods=["GET"])
    app.register_blueprint(bp, url_prefix=PREFIX)


def _answer(body: Any, status: int = 200, **headers: str) -> Response:
    text = json.dumps(body) if body is not None else ""
    response: Response = current_app.response_class(text, status, mimetype=scim.MEDIA_TYPE)
    response.headers.extend(headers)
    return response


def _base() -> str:
    return f"{deployment.base_url(context.settings)}{PREFIX}"


def _resource(user: DirectoryUser) -> dict[str, Any]:
    created = user.created_at.isoformat().replace("+00:00", "Z")
    return scim.user_resource(user.id, user.user_name, user.external_id, created, _base(), is_active=user.is_active)


def _id(text: str) -> int:
    """The id of a user; texts that are none are as unknown as numbers that are none."""
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > LARGEST_ROW_ID:
        raise NoSuchUser
    return int(text)


def _body() -> Any:
    try:
        return json.loads(request.get_data())
    except ValueError:
        raise scim.BadScim("The body is not JSON.", "invalidSyntax") from None


def _address(name: str | None) -> str | None:
    try:
        return people.address(name) if name is not None else None
    except people.BadEmail as error:
        raise scim.BadScim("userName must be an e-mail address.") from error


def _number(name: str, default: int, most: int) -> int:
    text = request.args.get(name, "")
    return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 19 else default


def list_users() -> Any:
    name, external_id = scim.filter_of(request.args.get("filter", ""))
    start = max(1, _number("startIndex", 1, LARGEST_ROW_ID))
    count = _number("count", 100, scim.MOST_PER_PAGE)
    total, users = directory.find_page(
        context.store, user_name=name, external_id=external_id, offset=start - 1, limit=count
    )
    return _answer(scim.listed([_resource(user) for user in users], total, start))


def create_user() -> Any:
    wanted = scim.user(_body())
    email = _address(wanted.user_name) or ""
    user = directory.create(
        context.store, email, wanted.external_id, datetime.now(UTC), is_active=wanted.is_active is not False
    )
    resource = _resource(user)
    return _answer(resource, 201, Location=resource["meta"]["location"])


def get_user(user_id: str) -> Any:
    return _answer(_resource(directory.get(context.store, _id(user_id))))


def change_user(user_id: str) -> Any:
    wanted = scim.user(_body()) if request.method == "PUT" else scim.patch(_body())
    user = directory.change(
        context.store,
        _id(user_id),
        datetime.now(UTC),
        email=_address(wanted.user_name),
        external_id=wanted.external_id,
        is_active=wanted.is_active,
    )
    return _answer(_resource(user))


def delete_user(user_id: str) -> Any:
    directory.delete(context.store, _id(user_id), datetime.now(UTC))
    return _answer(None, 204)


def describe(kind: str) -> Any:
    base = _base()
    if kind == "ServiceProviderConfig":
        return _answer(scim.service_provider_config(base))
    return _answer(scim.listed([scim.resource_type(base) if kind == "ResourceTypes" else scim.schema(base)], 1))
