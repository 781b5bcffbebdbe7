"""Who may read the mails that a development server does not send: each of their links opens an account."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from urllib.parse import urlsplit

from . import deployment
from .settings import Settings

# Every header by which proxies say that they passed a request on.
FORWARDING = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip")


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
