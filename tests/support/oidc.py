"""A small OpenID provider over a real socket. It signs with keys made at start; `faults` makes it lie in chosen ways.

A browser that comes to /authorize is sent back at once as `person`. /login/oauth and /api are a small GitHub.
"""

from __future__ import annotations

import base64
import hashlib
import html
import itertools
import json
import re
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwk, jws, jwt
from sqlalchemy import select
from werkzeug.test import TestResponse

from llmrack.inference.context import AppContext
from llmrack.store.tables.accounts import Identity

CLIENT_ID, CLIENT_SECRET = "llmrack", "a secret of the client"


class FakeOidc:
    """`with FakeOidc() as provider`. `person` holds the claims of who signs in next."""

    def __init__(self) -> None:
        self.keys = [jwk.RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})]
        self.algorithm = "RS256"
        self.person: dict[str, Any] = {}
        self.userinfo: dict[str, Any] | None = None
        self.metadata: dict[str, Any] = {}
        self.change_claims: Callable[[dict[str, Any]], None] = lambda claims: None
        self.token_of: Callable[[dict[str, Any]], str] = self.sign
        self.answer_issuer: str | None = None
        self.padding_bytes = 0
        self.is_away = False
        self.requests: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.github_emails: list[dict[str, Any]] = []
        handler = type("Handler", (_Handler,), {"oidc": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> FakeOidc:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def sign(self, claims: dict[str, Any], key: Any = None, algorithm: str | None = None) -> str:
        key = key or self.keys[-1]
        header = {"alg": algorithm or self.algorithm, "kid": key.kid}
        return jwt.encode(header, claims, key, algorithms=[header["alg"]])

    def authorize(self, url: str) -> str:
        """Where a browser that opens `url` is sent back to."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        answer = {"code": code, "state": asked["state"]}
        if self.answer_issuer is not None:
            answer["iss"] = self.answer_issuer
        return f"{asked['redirect_uri']}?{urlencode(answer)}"

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "end_session_endpoint": f"{self.issuer}/logout",
            "padding": "x" * self.padding_bytes,
        } | self.metadata

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """A code is taken once, from the client that got it, with the verifier of its challenge."""
        asked = self.codes.pop(form.get("code", ""), None)
        given = base64.b64decode(authorization.removeprefix("Basic ")).decode() if authorization else ""
        if given != f"{CLIENT_ID}:{CLIENT_SECRET.replace(' ', '%20')}":
            return 401, {"error": "invalid_client"}
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
        if asked is None or challenge.rstrip("=") != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        if form["redirect_uri"] != asked["redirect_uri"] or asked["code_challenge_method"] != "S256":
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims |= self.person
        self.change_claims(claims)
        return 200, {"access_token": "an access token", "token_type": "Bearer", "id_token": self.token_of(claims)}

    def github_token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or form.get("client_secret") != CLIENT_SECRET:
            return 200, {"error": "bad_verification_code"}
        return 200, {"access_token": "gho_test", "token_type": "bearer"}


def unsigned(claims: dict[str, Any]) -> str:
    """A token with `alg: none` and no signature."""
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


def signed_with_public_key(provider: FakeOidc) -> Callable[[dict[str, Any]], str]:
    """Tokens of HS256 whose secret is the text of the public key, which anyone has."""
    key = jwk.OctKey.import_key(provider.keys[0].as_pem(private=False).replace(b"-----", b""))
    return lambda claims: jws.serialize_compact(
        {"alg": "HS256", "kid": "first"}, json.dumps(claims), key, algorithms=["HS256"]
    )


class _Handler(BaseHTTPRequestHandler):
    oidc: FakeOidc

    def do_GET(self) -> None:
        path, _, _ = self.path.partition("?")
        provider = self.oidc
        provider.requests.append(path)
        if provider.is_away:
            return self._json(503, {"error": "down for maintenance"})
        if path in ("/authorize", "/login/oauth/authorize"):
            self.send_response(302)
            self.send_header("Location", provider.authorize(self.path))
            self.send_header("Content-Length", "0")
            return self.end_headers()
        pages: dict[str, Any] = {
            "/.well-known/openid-configuration": provider.discovery(),
            "/jwks": {"keys": [key.as_dict(private=False) for key in provider.keys]},
            "/userinfo": provider.userinfo or provider.person,
            "/api/user": {"id": provider.person.get("id"), "login": "octocat"},
            "/api/user/emails": provider.github_emails,
        }
        return self._json(200, pages[path]) if path in pages else self._json(404, {})

    def do_POST(self) -> None:
        self.oidc.requests.append(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        if self.path == "/token":
            self._json(*self.oidc.token(form, self.headers.get("Authorization", "")))
        else:
            self._json(*self.oidc.github_token(form))

    def _json(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests read `requests` instead."""


# Subjects that no other test has.
subjects = itertools.count(1)


def back(oidc: FakeOidc, page: TestResponse) -> str:
    url = page.headers["Refresh"].partition("url=")[2]
    assert html.escape(url) in page.text
    parts = urlsplit(oidc.authorize(url))
    return f"{parts.path}?{parts.query}"


def failure(page: TestResponse) -> str:
    found = re.search(r'<div class="alert bad"[^>]*><p>(.*?)</p>', page.text)
    assert found is not None, page.text
    return html.unescape(found[1])


def identities_of(context: AppContext, account_id: int) -> int:
    with context.store.read() as connection:
        return len(connection.execute(select(Identity.id).where(Identity.account_id == account_id)).all())
