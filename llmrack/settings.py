"""Every setting of a server, once: its name, default, unit and what it does.

Defaults, environment names (`LLMRACK_` + the name in capitals), `.env.example` and the operator's documentation all
come from these rows. This module imports nothing that gevent patches, because gunicorn.conf.py reads it first.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CannotStart

PREFIX = "LLMRACK_"
ROOT = Path(__file__).resolve().parent.parent


class BadSetting(CannotStart):
    """A setting the server cannot start with; the message names it and says what it takes."""


@dataclass(frozen=True)
class Setting:
    """One row. The default's type is the setting's type: bool, int, float or str. `unit` is for people."""

    name: str
    default: bool | int | float | str
    unit: str
    help: str
    is_secret: bool = False

    @property
    def env(self) -> str:
        return PREFIX + self.name.upper()


SETTINGS: tuple[Setting, ...] = (
    Setting("host", "127.0.0.1", "address", "Address the server listens on."),
    Setting("port", 8000, "port", "Port the server listens on."),
    Setting("public_url", "", "URL", "Where users reach this server; empty means http://host:port."),
    Setting("trusted_proxies", 0, "proxies", "How many proxies in front add X-Forwarded headers; 0 believes none."),
    Setting("support_email", "", "e-mail address", "Shown where users are told whom to ask; empty: the operator."),
    Setting(
        "security_contact",
        "",
        "e-mail address or https URL",
        "Where to report weaknesses of this server, in /.well-known/security.txt. Empty: there is no such file.",
    ),
    Setting(
        "operator_second_factor",
        "warn",
        "warn or require",
        "What the pages of operators do for one who signs in without a second factor.",
    ),
    Setting("environment", "development", "development or production", "Production prints no keys at start."),
    Setting("secret_key", "", "text", "Signs cookies. Empty: made once and kept in the instance folder.", True),
    Setting("instance_dir", str(ROOT / "instance"), "folder", "Local database, secrets and overrides."),
    Setting(
        "database_url", "", "SQLAlchemy URL", "Empty: SQLite in the instance folder, for exactly one worker.", True
    ),
    Setting("redis_url", "", "URL", "Shared request counters; needed with more than one worker.", True),
    Setting("workers", 1, "processes", "Worker processes. More than one needs PostgreSQL and Redis."),
    Setting("worker_connections", 4000, "connections", "Connections one worker holds at the same time."),
    Setting(
        "connections_per_address",
        1000,
        "connections",
        "Connections one worker holds of one client address, at most three quarters of all; 0 for no bound. Without"
        " effect behind trusted proxies.",
    ),
    Setting("graceful_timeout_s", 30, "seconds", "How long open streams may go on after a stop or reload."),
    Setting("ollama_url", "http://127.0.0.1:11434", "URL", "The Ollama that answers live keys."),
    Setting("ollama_connect_timeout_s", 5.0, "seconds", "How long connecting to Ollama may take."),
    Setting(
        "ollama_silence_timeout_s",
        600.0,
        "seconds",
        "How long Ollama may say nothing: loading a model plus reading a prompt. Waiting while it answers others is no"
        " silence.",
    ),
    Setting(
        "ollama_queue_timeout_s",
        1800.0,
        "seconds",
        "How long a request may wait for the first piece of its answer while Ollama answers others.",
    ),
    Setting("ping_interval_s", 15.0, "seconds", "Silence after which a stream sends a comment to keep it open."),
    Setting(
        "image_urls", False, "true or false", "Fetch images that requests name by https URL, from the public internet."
    ),
    Setting("max_body_bytes", 10_485_760, "bytes", "Largest request body."),
    Setting(
        "body_timeout_s", 30.0, "seconds", "How long a request body may take to arrive, on every page and endpoint."
    ),
    Setting(
        "write_timeout_s",
        60.0,
        "seconds",
        "How long a client may take to read a part of an answer (256 KB, or one piece of a stream).",
    ),
    Setting("test_mode_pieces_per_s", 40.0, "pieces per second", "Pace of test-mode streams; 0 sends at once."),
    Setting("signup", True, "true or false", "Whether strangers may make an account; the command always can."),
    Setting("smtp_host", "", "host", "Mail server. Empty: mail goes to the log, and nobody waits for it."),
    Setting("smtp_port", 587, "port", "Port of the mail server."),
    Setting("smtp_user", "", "text", "Name to sign in to the mail server with; empty: none."),
    Setting("smtp_password", "", "text", "Password to sign in to the mail server with.", True),
    Setting("smtp_security", "starttls", "starttls, tls or none", "Protects the connection to the mail server."),
    Setting("mail_from", "LLMRack <llmrack@localhost>", "e-mail address", "Whom mail comes from."),
    Setting("stripe_secret_key", "", "sk_...", "Takes payments through Stripe. Empty: no payments.", True),
    Setting("stripe_webhook_secret", "", "whsec_...", "Signs Stripe's messages to /webhooks/stripe.", True),
    Setting("stripe_prices", "", "plan=price pairs", "Stripe's prices of plans: pro=price_1A business=price_1B."),
    Setting("stripe_api_url", "", "URL", "Where Stripe's API is; empty: Stripe's own."),
    Setting("log_level", "info", "debug, info, warning or error", "What the log holds."),
)

Values = Mapping[str, Any]


class Settings:
    """The values in force, as attributes named like the rows."""

    def __init__(self, values: Values) -> None:
        unknown = sorted(set(values) - {row.name for row in SETTINGS})
        if unknown:
            raise BadSetting(f"Unknown setting {', '.join(unknown)}. The known ones are listed in .env.example.")
        self._values = {row.name: values.get(row.name, row.default) for row in SETTINGS}

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(name) from None


def load(environ: Mapping[str, str] | None = None, overrides: Values | None = None) -> Settings:
    """The settings from `overrides`, then the environment, then the defaults.

    Raises `BadSetting` for a value of the wrong type and for an `LLMRACK_` variable that no row declares.
    """
    environ = os.environ if environ is None else environ
    rows = {row.env: row for row in SETTINGS}
    values: dict[str, Any] = {}
    for name, text in environ.items():
        if name in rows:
            values[rows[name].name] = _parse(rows[name], text)
        elif name.startswith(PREFIX) and name not in NOT_SETTINGS:
            raise BadSetting(f"{name} is not a setting. The known ones are listed in .env.example.")
    return Settings({**values, **(overrides or {})})


# Clients of this API read these from the same environment, and script/server leaves them to its children.
NOT_SETTINGS = frozenset({"LLMRACK_API_KEY", "LLMRACK_BASE_URL"})

_BOOLEANS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def _parse(row: Setting, text: str) -> bool | int | float | str:
    kind = type(row.default)
    try:
        if kind is bool:
            return _BOOLEANS[text.strip().lower()]
        return kind(text.strip())
    except (KeyError, ValueError):
        raise BadSetting(f"{row.env}={text!r} is not valid: it takes {row.unit}.") from None


def example() -> str:
    """The text of `.env.example`: every setting with its default, commented out."""
    rows = (f"# {row.help} ({row.unit})\n# {row.env}={shown_default(row)}\n" for row in SETTINGS)
    return "# Copy this file to .env and uncomment what you change.\n\n" + "\n".join(rows)


def shown_default(row: Setting) -> str:
    """The default as text; folders below the checkout as people would write them."""
    return str(row.default).replace(f"{ROOT}{os.sep}", "")
