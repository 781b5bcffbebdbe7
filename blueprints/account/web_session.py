"""Who is signed in: Flask-Login over session rows, and the cookies that go with them."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Request, Response, current_app, g, redirect, request, session, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_login import UserMixin, current_user, login_user
from flask_wtf.csrf import generate_csrf
from itsdangerous import BadSignature, URLSafeSerializer

from llmrack.accounts import audit, sessions, tokens
from llmrack.accounts.sessions import Viewer
from llmrack.errors import Unavailable
from llmrack.teams import invites
from llmrack.teams.invites import InviteFacts

from ..extensions import context, login_manager

# A browser that signed in once is told from strangers for this long.
DEVICE_LIVES = timedelta(days=180)


log = logging.getLogger(__name__)


def note(event: str, account_id: int | None = None) -> None:
    """A line in the log about who may act for whom. Accounts go by number, their e-mail stays out."""
    log.info(event, extra={"account_id": account_id, "address": request.remote_addr})


class SignedIn(UserMixin):
    """What Flask-Login keeps of a viewer: the token of the session, which is its id."""

    def __init__(self, token: str, viewer: Viewer) -> None:
        self.token = token
        self.viewer = viewer

    def get_id(self) -> str:
        return self.token


class Sessions(SecureCookieSessionInterface):
    """The API ignores cookies, so its requests need not pay for reading them."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return None if request.path.startswith(("/v1/", "/api/")) else super().open_session(app, request)


def init_app(app: Flask, *, is_https: bool) -> None:
    app.session_interface = Sessions()
    app.config.update(
        SESSION_COOKIE_NAME=_cookie("llmrack", is_https=is_https),
        SESSION_COOKIE_SECURE=is_https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=sessions.LONGEST,
        DEVICE_COOKIE_NAME=_cookie("llmrack_device", is_https=is_https),
        # Forms last as long as the session they belong to.
        WTF_CSRF_TIME_LIMIT=None,
    )
    # LoginManager.init_app would look into the session after every request, also those to the API, and tell caches
    # that every page depends on the cookie.
    app.login_manager = login_manager  # type: ignore[attr-defined]
    login_manager.session_protection = None
    login_manager.user_loader(_load)
    login_manager.unauthorized_handler(_ask_to_sign_in)
    app.jinja_env.globals.update(csrf_token=generate_csrf, viewer=viewer, known_viewer=known_viewer)
    app.after_request(keep_private)


def _cookie(name: str, *, is_https: bool) -> str:
    """The __Host- prefix ties a cookie to this very host; browsers take it over https only."""
    return f"__Host-{name}" if is_https else name


def _load(token: str) -> SignedIn | None:
    viewer = sessions.find(context.store, token, datetime.now(UTC))
    return SignedIn(token, viewer) if viewer else None


def _ask_to_sign_in() -> Response:
    target = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("account.login", next=target), 303)  # type: ignore[return-value]


def viewer() -> Viewer:
    """Who is signed in, in a view that only signed-in people reach."""
    mine: Viewer = current_user.viewer
    return mine


def is_signed_in() -> bool:
    return bool(current_user.is_authenticated)


def is_signed_in_to(account_id: int) -> bool:
    """Whether this browser is signed in to that person's account."""
    return is_signed_in() and viewer().person_id == account_id


def actor() -> str:
    """Who acts, for the audit log: the owner of a person's own account, a member by address in a team's."""
    return audit.OWNER if viewer().team is None else viewer().email


def invite() -> InviteFacts | None:
    """The invite that this browser opened and that still works."""
    token = session.get("invite")
    return invites.peek(context.store, token, datetime.now(UTC)) if token else None


def home(default: str) -> str:
    """Where a person goes after signing in without having asked for a page: to an invite that waits, else `default`."""
    return url_for("invites.show", token=session["invite"]) if invite() else url_for(default)


def known_viewer() -> Viewer | None:
    """Who is signed in, on pages that are for everybody: None for strangers, and while the database does not answer.

    A visitor without a session costs nothing here. What was found is for this reader alone: `keep_private` sees to it.
    """
    g.is_personal = False
    if current_app.config["SESSION_COOKIE_NAME"] not in request.cookies:
        return None
    try:
        g.is_personal = is_signed_in()
    except Unavailable:
        return None
    return viewer() if g.is_personal else None


def is_personal() -> bool:
    """Whether the answer names who is signed in."""
    return bool(g.get("is_personal"))


def keep_private(response: Response) -> Response:
    """A page that names its reader is no page for the next one: browsers may keep it, and ask again each time."""
    if "is_personal" in g:
        response.vary.add("Cookie")
    if is_personal() and not response.cache_control.no_store:
        response.headers["Cache-Control"] = "private, no-cache"
    return response


def sign_in(account_id: int) -> None:
    """Give this browser a new session; whatever its cookie held before is forgotten."""
    note("signed in", account_id)
    token = sessions.start(
        context.store,
        account_id,
        datetime.now(UTC),
        agent=request.headers.get("User-Agent", ""),
        address=request.remote_addr or "",
    )
    found = _load(token)
    opened = session.get("invite")
    session.clear()
    session.permanent = True
    if opened:
        session["invite"] = opened
    if found is not None:
        login_user(found)


def next_page(default: str) -> str:
    """Where `?next=` leads, when that is a page of ours."""
    return own_page(request.values.get("next", ""), default)


def own_page(target: str, default: str) -> str:
    """`target`, when that is a page of ours."""
    parts = urlsplit(target)
    is_ours = target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    return target if is_ours and target.isprintable() else home(default)


def device(email: str, config: Any) -> str | None:
    """The mark of a browser in which this address signed in before."""
    text = request.cookies.get(config["DEVICE_COOKIE_NAME"], "")
    try:
        mark = _signer(config).loads(text)
    except BadSignature:
        return None
    return mark["id"] if mark.get("of") == tokens.digest(email) else None


def remember_device(response: Response, email: str, config: Any) -> Response:
    mark = {"of": tokens.digest(email), "id": device(email, config) or tokens.make()}
    response.set_cookie(
        config["DEVICE_COOKIE_NAME"],
        _signer(config).dumps(mark),
        max_age=DEVICE_LIVES,
        secure=config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )
    return response


def _signer(config: Any) -> URLSafeSerializer:
    return URLSafeSerializer(config["SECRET_KEY"], salt="device")
