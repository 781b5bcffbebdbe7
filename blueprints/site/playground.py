"""The playground: any model from the browser.

A pasted key goes from the browser straight to /v1 and is kept nowhere. A signed-in user names one of their keys
instead: its secret is not stored here, so the session vouches for it, and limits, permissions and usage are that
key's all the same. Without scripts the form is posted here and the answer is a page.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, g, render_template, request
from werkzeug.exceptions import Forbidden

from llmrack.docsite import rail, tables
from llmrack.errors import ApiError, AuthenticationFailed, PermissionRefused
from llmrack.keys import authentication, keys
from llmrack.keys.authentication import Caller
from llmrack.keys.keys import KeyFacts
from llmrack.wire.chat import request as chat_request

from ..account import web_session
from ..extensions import context
from ..v1 import errors, rate_limits, refusals, responses
from ..v1.auth import needs
from ..v1.generate import answer, answer_to
from ..web import csrf
from ..web.mail import site_url
from . import playground_form

bp = Blueprint("playground", __name__)
bp.after_request(csrf.forbid_copies)
# The endpoint's own, so that answers and refusals here say what they say there.
bp.after_request(responses.mark_mode)
bp.after_request(rate_limits.apply)
bp.after_request(refusals.note)

HEADER = "X-LLMRack-Key-Id"


@bp.get("/playground")
def index() -> str:
    return _show(request.args)


@bp.post("/playground")
def ask() -> Response | str:
    """The same form without scripts. The key is not written back into the page."""
    try:
        _authenticate(request.form.get("key_id", ""), request.form.get("key", "").strip())
        reply = _answer_form(json.dumps(playground_form.body(request.form)).encode())
    except ApiError as error:
        refusal = errors.render(error)
        refusal.mimetype = "text/html"
        refusal.set_data(_show(request.form, error=error))
        return refusal
    return _show(request.form, completion=json.loads(reply.get_data()))


@needs("inference")
def _answer_form(body: bytes) -> Response:
    return answer_to(body, chat_request.parse)


@bp.post("/playground/chat/completions")
def create() -> Response:
    """`POST /v1/chat/completions` with a key of the signed-in user, named by its id in a header."""
    _authenticate(request.headers.get(HEADER, ""), None)
    return _answer_request()


@needs("inference")
def _answer_request() -> Response:
    return answer(chat_request.parse)


def _authenticate(key_id: str, secret: str | None) -> None:
    """What `auth.authenticate` and `limits.check` do before every endpoint of /v1. Raises ApiError."""
    g.caller = _caller(key_id, secret)
    rate_limits.check()


def _caller(key_id: str, secret: str | None) -> Caller:
    now = datetime.now(UTC)
    if not key_id:
        return authentication.resolve(context.store, context.plans, secret or None, now, request.remote_addr)
    try:
        csrf.refuse_foreign_forms()
    except Forbidden as error:
        raise PermissionRefused(csrf.REFUSED) from error
    if not web_session.is_signed_in() or not re.fullmatch("[0-9]{1,18}", key_id):
        raise AuthenticationFailed("Sign in again to use your keys here, or paste one.")
    who = web_session.viewer()
    address, member_id = request.remote_addr, who.person_id if who.team else None
    return authentication.resolve_own(
        context.store, context.plans, who.account_id, int(key_id), now, address, member_id=member_id
    )


def _show(form: Any, *, completion: dict[str, Any] | None = None, error: ApiError | None = None) -> str:
    models = [model for model in context.catalog if not model.is_embedding]
    return render_template(
        "playground/index.html",
        models=models,
        prices={model.id: f"{tables.input_price(model)} in, {tables.output_price(model)} out" for model in models},
        form={name: form.get(name, "") for name in playground_form.FIELDS},
        keys=_own_keys(),
        is_signed_in=web_session.is_signed_in(),
        base_url=site_url(),
        languages=rail.LANGUAGES,
        completion=completion,
        error=error,
    )


def _own_keys() -> list[KeyFacts]:
    """The keys of the signed-in user that can answer prompts now."""
    if not web_session.is_signed_in():
        return []
    now = datetime.now(UTC)
    who = web_session.viewer()
    found = keys.of_account(context.store, who.account_id, now)
    mine = [key for key in found if who.team is None or key.member_id == who.person_id]
    return [key for key in mine if key.state(now) == "active" and {"all", "inference"} & set(key.permissions)]
