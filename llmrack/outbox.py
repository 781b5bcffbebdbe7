"""Who may read the mails that a development server does not send: each of their links opens an account."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from . import deployment
from .settings import Settings

# How the headers begin by which proxies of all makes say that they passed a request on; browsers send none of these.
FORWARDING = (
    "forwarded", "via", "x-forwarded", "x-original-", "x-real-", "x-client-", "x-cluster-", "x-proxy", "x-envoy-",
    "x-amzn-", "x-azure-", "true-client-", "cf-", "fastly-", "fly-",
)  # fmt: skip


def is_forwarded(names: Iterable[str]) -> bool:
    """Whether any header of a request comes from a proxy."""
    return any(name.lower().startswith(FORWARDING) for name in names)


def token(secret_key: str) -> str:
    """What opens the outbox of this installation; printed at the start."""
    return hmac.new(secret_key.encode(), b"outbox", hashlib.sha256).hexdigest()[:32]


def is_token(secret_key: str, given: str) -> bool:
    return hmac.compare_digest(token(secret_key).encode(), given.encode())


def is_open(settings: Settings) -> bool:
    """Whether there is an outbox: while developing, without a mail server, on an address of this machine alone."""
    if settings.environment == "production" or settings.smtp_host or settings.trusted_proxies:
        return False
    return is_loopback(urlsplit(deployment.base_url(settings)).hostname or "")


def is_own_host(host: str, settings: Settings) -> bool:
    """Whether a Host header names this machine and this server's port: a page that rebinds its name does not."""
    try:
        parts = urlsplit(f"//{host}")
        port = parts.port or 80
    except ValueError:
        return False
    ours = urlsplit(deployment.base_url(settings))
    return is_loopback(parts.hostname or "") and port == (ours.port or 80)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
