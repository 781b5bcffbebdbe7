"""The identity providers that people sign in with, read from the operator's `instance/sign_in.toml`.

Secrets may stay in the environment: `client_secret_env` names the variable.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from . import datafile
from .errors import CannotStart
from .settings import BadSetting, Settings

OIDC, GITHUB = "oidc", "github"
GITHUB_ISSUER, GITHUB_API = "https://github.com", "https://api.github.com"
# How an OpenID provider is asked for an address when the file says nothing.
OIDC_SCOPES = ("openid", "email", "profile")
GITHUB_SCOPES = ("read:user", "user:email")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class BadSignIn(CannotStart):
    """Providers the server cannot start with; the message names file, line, provider and what is wrong."""


@dataclass(frozen=True)
class SignInProvider:
    """One provider. People are known by (issuer, subject); their address only finds or makes an account.

    `creates` lets people without an account in: of one of `domains` where it has any, else where sign-up is open.
    `links_by_email` gives a person the account of the address that the provider confirmed.
    With `operators_group`, `group_claim` decides at each sign-in who is an operator.
    """

    id: str
    label: str
    client_id: str
    kind: str = OIDC
    issuer: str = ""
    api_url: str = ""
    client_secret: str = ""
    client_secret_env: str = ""
    scopes: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    creates: bool = False
    links_by_email: bool = False
    verified_claim: str = "email_verified"
    group_claim: str = "groups"
    operators_group: str = ""
    ends_session: bool = True


def load(path: Path, environ: Mapping[str, str]) -> tuple[SignInProvider, ...]:
    """The providers of the file, in its order; none where there is no such file. Raises BadSignIn."""
    if not path.exists():
        return ()
    providers = tuple(_provider(entry, environ) for entry in datafile.read("providers", "provider", BadSignIn, path))
    issuers = [(provider.issuer, provider.client_id) for provider in providers]
    if len(set(issuers)) != len(issuers):
        raise BadSignIn(f"{path}: two providers have the same issuer and client_id")
    return providers


def check(providers: tuple[SignInProvider, ...], settings: Settings) -> None:
    """Whether these providers fit the settings. Raises BadSetting with what to set."""
    if settings.local_sign_in == "operators" and not providers:
        raise BadSetting(
            "LLMRACK_LOCAL_SIGN_IN=operators needs a provider that everyone else signs in with: describe one in"
            " sign_in.toml in the instance folder, or set LLMRACK_LOCAL_SIGN_IN=everyone."
        )
    if providers and settings.environment == "production" and not settings.public_url:
        raise BadSetting("sign_in.toml needs LLMRACK_PUBLIC_URL, where providers send people back to.")


_KEYS = {"creates": "create", "links_by_email": "link_by_email"}


def _provider(entry: datafile.Entry, environ: Mapping[str, str]) -> SignInProvider:
    row = datafile.build(SignInProvider, entry, {name: (key, _flag) for name, key in _KEYS.items()})
    is_github = row.kind == GITHUB
    if is_github:
        row = replace(row, issuer=row.issuer or GITHUB_ISSUER, api_url=row.api_url or GITHUB_API)
    row = replace(
        row,
        scopes=row.scopes or (GITHUB_SCOPES if is_github else OIDC_SCOPES),
        domains=tuple(str(domain).lower() for domain in row.domains),
        client_secret=row.client_secret or environ.get(row.client_secret_env, ""),
    )
    names_variable = bool(row.client_secret_env)
    entry.check(
        ("id", bool(_ID.fullmatch(row.id)), "must be lower-case letters, digits and -, at most 32"),
        ("label", 0 < len(row.label) <= 40 and row.label.isprintable(), "must be 1 to 40 characters"),
        ("kind", row.kind in (OIDC, GITHUB), f"must be {OIDC} or {GITHUB}"),
        ("issuer", bool(row.issuer), "is missing: the address that the provider's discovery document repeats"),
        ("issuer", is_safe_url(row.issuer) and len(row.issuer) <= 255, "must be an https URL, or http on this machine"),
        ("api_url", not row.api_url or is_safe_url(row.api_url), "must be an https URL, or http on this machine"),
        ("client_id", bool(row.client_id), "must not be empty"),
        (
            "client_secret_env",
            not (names_variable and "client_secret" in entry.values),
            "and client_secret are both set",
        ),
        ("client_secret_env", not names_variable or bool(_VARIABLE.fullmatch(row.client_secret_env)), "is no name"),
        ("client_secret_env", not names_variable or bool(row.client_secret), "names a variable that is not set"),
        ("client_secret", bool(row.client_secret) or not is_github, "is missing: GitHub needs it"),
        ("scopes", is_github or "openid" in row.scopes, 'must contain "openid"'),
        ("domains", all(_DOMAIN.fullmatch(domain) for domain in row.domains), 'must be names such as "example.com"'),
        ("operators_group", not (is_github and row.operators_group), "has no use: GitHub sends no groups"),
    )
    return row


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be of type bool")
    return value


def is_safe_url(url: str) -> bool:
    """Whether nobody between can change what is sent there: https, or this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.username is not None or parts.fragment or not host or not url.isprintable() or " " in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
