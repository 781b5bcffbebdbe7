"""Settings that start, and are still no good idea; files that others can read."""

from __future__ import annotations

from .. import private
from .findings import Finding, Installation, ok, warning

SHORT_GRACE_S = 60
LEAST_DIFFERENT_CHARS = 12


def public_url(site: Installation) -> Finding:
    settings = site.context.settings
    if settings.environment == "production" and not settings.public_url.startswith("https://"):
        return warning(
            "Passwords and keys travel without encryption: the public address is not https.",
            "Set LLMRACK_PUBLIC_URL to the https address of the proxy in front.",
        )
    return ok("The public address fits the environment.")


def environment(site: Installation) -> Finding:
    settings = site.context.settings
    if settings.environment != "production" and settings.public_url.startswith("https://"):
        return warning("A public server runs as development.", "Set LLMRACK_ENVIRONMENT=production.")
    return ok("The environment fits the public address.")


def secret_key(site: Installation) -> Finding:
    if len(set(site.secret_key)) < LEAST_DIFFERENT_CHARS:
        return warning(
            "The secret that signs cookies can be guessed.",
            "Leave LLMRACK_SECRET_KEY out: a random one is made and kept.",
        )
    return ok("The secret that signs cookies is random enough.")


def files(site: Installation) -> Finding:
    if exposed := private.exposed(site.folder):
        names = " ".join(str(path) for path in exposed)
        return warning("Other users of this machine can read the database or the secret.", f"chmod go-rwx {names}")
    return ok("The instance folder is for its owner alone.")


def graceful_timeout(site: Installation) -> Finding:
    settings = site.context.settings
    if settings.environment == "production" and settings.graceful_timeout_s < SHORT_GRACE_S:
        return warning(
            f"A restart cuts answers that take longer than {settings.graceful_timeout_s} seconds.",
            "Set LLMRACK_GRACEFUL_TIMEOUT_S to 120 or more, and the supervisor's stop time later than that.",
        )
    return ok("Open answers have time to end.")
