"""Every setting of a server, once: its name, default, what it takes and what it does.

Defaults, environment names (`LLMRACK_` + the name in capitals), `.env.example` and the operator's documentation all
come from these rows. This module imports nothing that gevent patches, because gunicorn.conf.py reads it first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CannotStart
from .setting_values import (
    ADDRESS,
    CONTACT,
    DAY_S,
    SECRET,
    SENDER,
    Flag,
    Host,
    Instead,
    Kind,
    Number,
    StoreUrl,
    Text,
    Url,
    Urls,
    Whole,
    Words,
    is_address,
    shown,
)

PREFIX = "LLMRACK_"
ROOT = Path(__file__).resolve().parent.parent
POSTGRESQL = "postgresql+psycopg://user:password@host/llmrack"
REDIS = "redis://127.0.0.1:6379/0"


class BadSetting(CannotStart):
    """A setting the server cannot start with; the message names it and says what it takes."""


@dataclass(frozen=True)
class Setting:
    """One row. `fallback` is another variable that is read where the setting's own is absent."""

    name: str
    default: bool | int | float | str
    takes: Kind
    help: str
    is_secret: bool = False
    fallback: str = ""

    @property
    def env(self) -> str:
        return PREFIX + self.name.upper()


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "host",
        "127.0.0.1",
        Host(),
        "Address the server listens on. Where this is absent, HOST is taken when it is an IP address.",
        fallback="HOST",
    ),
    Setting(
        "port",
        8000,
        Whole("port", 1, 65_535),
        "Port the server listens on. Where this is absent, PORT is taken.",
        fallback="PORT",
    ),
    Setting("public_url", "", Url(), "Where users reach this server; empty means http://host:port."),
    Setting(
        "trusted_proxies",
        0,
        Whole("proxies", 0, 16),
        "How many proxies in front add X-Forwarded headers; 0 believes none.",
    ),
    Setting("support_email", "", ADDRESS, "Shown where users are told whom to ask; empty: the operator."),
    Setting(
        "security_contact",
        "",
        CONTACT,
        "Where to report weaknesses of this server, in /.well-known/security.txt. Empty: there is no such file.",
    ),
    Setting(
        "operator_second_factor",
        "warn",
        Words(("warn", "require")),
        "What the pages of operators do for one who signs in without a second factor.",
    ),
    Setting("environment", "development", Words(("development", "production")), "Production prints no keys at start."),
    Setting("secret_key", "", SECRET, "Signs cookies. Empty: made once and kept in the instance folder.", True),
    Setting("instance_dir", str(ROOT / "instance"), Text("folder"), "Local database, secrets and overrides."),
    Setting(
        "database_url",
        "",
        StoreUrl(("postgresql+psycopg", "sqlite", "sqlite+pysqlite"), POSTGRESQL),
        "Empty: SQLite in the instance folder, for exactly one worker.",
        True,
    ),
    Setting(
        "redis_url",
        "",
        StoreUrl(("redis", "rediss", "redis+unix"), REDIS),
        "Shared request counters; needed with more than one worker.",
        True,
    ),
    Setting("workers", 1, Whole("processes", 1, 256), "Worker processes. More than one needs PostgreSQL and Redis."),
    Setting(
        "worker_connections",
        4000,
        Whole("connections", 1, 1_000_000),
        "Connections one worker holds at the same time.",
    ),
    Setting(
        "connections_per_address",
        1000,
        Whole("connections", 0, 1_000_000),
        "Connections one worker holds of one client address, at most three quarters of all; 0 for no bound. Without"
        " effect behind trusted proxies.",
    ),
    Setting(
        "graceful_timeout_s",
        30,
        Whole("seconds", 1, DAY_S),
        "How long open streams may go on after a stop or reload.",
    ),
    Setting(
        "ollama_url",
        "http://127.0.0.1:11434",
        Urls(Url(ends=("/v1", "/api"))),
        "The Ollama that answers live keys, or several, separated by commas.",
    ),
    Setting(
        "ollama_parallel",
        0,
        Whole("requests", 0, 1024),
        "How many requests an Ollama answers at the same time for one model: OLLAMA_NUM_PARALLEL of each. Requests then"
        " wait here, fairly by account, for a free slot. 0: not told, and each goes on to the one Ollama at once.",
    ),
    Setting(
        "ollama_max_loaded",
        1,
        Whole("models", 1, 1024),
        "How many models an Ollama holds in memory at once, where OLLAMA_PARALLEL is told: OLLAMA_MAX_LOADED_MODELS of"
        " each.",
    ),
    Setting("queue_max", 1000, Whole("requests", 1, 1_000_000), "How many requests may wait for a slot."),
    Setting(
        "queue_wait_max_s",
        300.0,
        Number("seconds", 1, DAY_S),
        "How long a request may wait for a slot.",
    ),
    Setting(
        "switch_min_resident_s",
        30.0,
        Number("seconds", 0, DAY_S),
        "How long a model stays in memory at least, while it has requests, before it gives way to another.",
    ),
    Setting("ollama_connect_timeout_s", 5.0, Number("seconds", 0.1, 3600), "How long connecting to Ollama may take."),
    Setting(
        "ollama_silence_timeout_s",
        600.0,
        Number("seconds", 0.1, DAY_S),
        "How long Ollama may say nothing: loading a model plus reading a prompt. Waiting while it answers others is no"
        " silence.",
    ),
    Setting(
        "ollama_queue_timeout_s",
        1800.0,
        Number("seconds", 0.1, DAY_S),
        "How long a request may wait for the first piece of its answer while Ollama answers others.",
    ),
    Setting(
        "ping_interval_s",
        15.0,
        Number("seconds", 0.1, 3600),
        "Silence after which a stream sends a comment to keep it open.",
    ),
    Setting("image_urls", False, Flag(), "Fetch images that requests name by https URL, from the public internet."),
    Setting("max_body_bytes", 10_485_760, Whole("bytes", 1024, 2**30), "Largest request body."),
    Setting(
        "body_timeout_s",
        30.0,
        Number("seconds", 0.1, 3600),
        "How long a request body may take to arrive, on every page and endpoint.",
    ),
    Setting(
        "write_timeout_s",
        60.0,
        Number("seconds", 0.1, 3600),
        "How long a client may take to read a part of an answer (256 KB, or one piece of a stream).",
    ),
    Setting(
        "test_mode_pieces_per_s",
        40.0,
        Number("pieces per second", 0, 1_000_000),
        "Pace of test-mode streams; 0 sends at once.",
    ),
    Setting("signup", True, Flag(), "Whether strangers may make an account; the command always can."),
    Setting(
        "local_sign_in",
        "everyone",
        Words(("everyone", "operators")),
        "Who may sign in with a password. With operators, everyone else uses a provider of sign_in.toml.",
    ),
    Setting(
        "scim_token",
        "",
        SECRET,
        "Bearer token with which a directory makes and ends accounts under /scim/v2. Empty: there is no such address.",
        True,
    ),
    Setting("smtp_host", "", Host(), "Mail server. Empty: mail goes to the log, and no page waits for one."),
    Setting("smtp_port", 587, Whole("port", 1, 65_535), "Port of the mail server."),
    Setting("smtp_user", "", Text("text"), "Name to sign in to the mail server with; empty: none."),
    Setting("smtp_password", "", Text("text"), "Password to sign in to the mail server with.", True),
    Setting(
        "smtp_security", "starttls", Words(("starttls", "tls", "none")), "Protects the connection to the mail server."
    ),
    Setting("mail_from", "LLMRack <llmrack@localhost>", SENDER, "Whom mail comes from."),
    Setting(
        "stripe_secret_key",
        "",
        Text("sk_... or rk_...", (re.compile(r"[sr]k_\S+"),)),
        "Takes payments through Stripe. Empty: no payments.",
        True,
    ),
    Setting(
        "stripe_webhook_secret",
        "",
        Text("whsec_...", (re.compile(r"whsec_\S+"),)),
        "Signs Stripe's messages to /webhooks/stripe.",
        True,
    ),
    Setting("stripe_prices", "", Text("plan=price pairs"), "Stripe's prices of plans: pro=price_1A business=price_1B."),
    Setting("stripe_api_url", "", Url(), "Where Stripe's API is; empty: Stripe's own."),
    Setting("metrics", False, Flag(), "Count figures for Prometheus, and answer GET /metrics to this machine."),
    Setting(
        "metrics_token",
        "",
        SECRET,
        "Opens GET /metrics to other machines as `Authorization: Bearer`. Empty: only this machine may read it.",
        True,
    ),
    Setting("log_level", "info", Words(("debug", "info", "warning", "error")), "What the log holds."),
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

    Raises `BadSetting` for a value that its row does not take and for an `LLMRACK_` variable that no row declares.
    """
    environ = os.environ if environ is None else environ
    unknown = sorted(
        name for name in environ if name.startswith(PREFIX) and name not in NOT_SETTINGS and name not in _ROWS
    )
    if unknown:
        raise BadSetting(f"{unknown[0]} is not a setting: the known ones are listed in .env.example.")
    values = {row.name: value for row in SETTINGS if (value := _from_environment(row, environ)) is not None}
    for name, value in (overrides or {}).items():
        if (row := _ROWS.get(PREFIX + name.upper())) is not None:
            values[name] = _checked(row, row.env, value, value)
        else:
            values[name] = value
    return Settings(values)


# Clients of this API read these from the same environment, and script/server leaves them to its children.
NOT_SETTINGS = frozenset({"LLMRACK_API_KEY", "LLMRACK_BASE_URL"})

_ROWS = {row.env: row for row in SETTINGS}


def _from_environment(row: Setting, environ: Mapping[str, str]) -> Any:
    """The row's value, or None where the environment has none."""
    if row.env in environ:
        return _parse(row, row.env, environ[row.env])
    text = environ.get(row.fallback, "").strip()
    # Shells and build tools put the machine's name or kind into HOST, which is no address to listen on.
    if not text or (row.fallback == "HOST" and not is_address(text)):
        return None
    return _parse(row, row.fallback, text)


def _parse(row: Setting, name: str, text: str) -> Any:
    text = text.strip()
    try:
        value = row.takes.read(text)
    except ValueError:
        raise _refusal(row, name, text, "") from None
    return _checked(row, name, value, text)


def _checked(row: Setting, name: str, value: Any, given: Any) -> Any:
    """The value, when the row takes it. A setting that is empty by default may be empty."""
    if value == "" and row.default == "":
        return value
    try:
        row.takes.check(value)
    except ValueError as wrong:
        raise _refusal(row, name, given, str(wrong) if isinstance(wrong, Instead) else "") from None
    return value


def _refusal(row: Setting, name: str, given: Any, instead: str) -> BadSetting:
    value = shown(row.takes, given, is_secret=row.is_secret)
    return BadSetting(f"{name}={value} is not valid: it takes {row.takes}{f'; {instead}' if instead else ''}.")


def example() -> str:
    """The text of `.env.example`: every setting with its default, commented out."""
    rows = (f"# {row.help} ({row.takes})\n# {row.env}={shown_default(row)}\n" for row in SETTINGS)
    return "# Copy this file to .env and uncomment what you change.\n\n" + "\n".join(rows)


def shown_default(row: Setting) -> str:
    """The default as text; folders below the checkout as people would write them."""
    return str(row.default).replace(f"{ROOT}{os.sep}", "")
