"""Builds the application from its settings: catalogue, plans, store, engines, blueprints, commands."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask
from flask_migrate import Migrate
from werkzeug.middleware.proxy_fix import ProxyFix

from blueprints import register_blueprints
from blueprints.account import web_session
from blueprints.dashboard import rights
from blueprints.v1 import errors, rate_limits
from blueprints.web import csrf, error_pages, headers, templating
from blueprints.web.flask_app import App
from cli import register_commands
from llmrack import catalog, logs, plans, private, settings, shops, sign_in
from llmrack.billing.checkout import Billing
from llmrack.catalog import Catalog
from llmrack.clients.identity_provider import IdentityProvider
from llmrack.clients.mail import Mailer, Outbox, SmtpMailer
from llmrack.clients.provider import PaymentGateway
from llmrack.deployment import check_deployment
from llmrack.engines.base import Engine
from llmrack.engines.features import Probe
from llmrack.engines.ollama.client import Ollama
from llmrack.engines.sandbox import Sandbox
from llmrack.errors import CannotStart
from llmrack.inference.context import AppContext, Engines
from llmrack.metering.meter import Meter
from llmrack.monitoring.figures import Figures
from llmrack.pool.hosts import Hosts
from llmrack.pool.pool import Pool
from llmrack.pool.scheduler import Rules
from llmrack.setting_values import MIN_SECRET_CHARS, separated
from llmrack.settings import Settings
from llmrack.store import opening
from llmrack.store.clock import DatabaseClock
from llmrack.store.database import Store, db, engine_options
from llmrack.wire.parsed import Features


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """The application. `overrides` win over the environment, by setting name.

    Raises BadSetting, BadCatalog or BadPlans with a sentence that says what to change.
    """
    values = settings.load(overrides=overrides)
    check_deployment(values)
    logs.configure(values.log_level)
    app = App(__name__, instance_path=str(Path(values.instance_dir).resolve()))
    # A redirect to the path without doubled slashes would repeat whatever Host was sent.
    app.url_map.merge_slashes = False
    instance = Path(app.instance_path)
    private.make_folder(instance)
    database_url = values.database_url or f"sqlite:///{instance / 'llmrack.db'}"
    opening.check_file(database_url)
    app.config.update(
        SECRET_KEY=values.secret_key or _kept_secret(instance / "secret_key"),
        SQLALCHEMY_DATABASE_URI=database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(database_url),
        MAX_CONTENT_LENGTH=values.max_body_bytes,
    )
    if values.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign] # as its documentation says
            app.wsgi_app, x_for=values.trusted_proxies, x_proto=values.trusted_proxies
        )
    db.init_app(app)
    Migrate(app, db, directory=str(settings.ROOT / "migrations"))
    with app.app_context():
        app.extensions["llmrack"] = _rack(values, instance, Store(db.engine))
    app.extensions["llmrack_mail"] = _mailer(values)
    app.extensions["llmrack_identity_providers"] = _identity_providers(values, instance)
    app.extensions["llmrack_till"] = _till(values, app.extensions["llmrack"])
    headers.init_app(app)
    templating.init_app(app)
    errors.init_app(app)
    error_pages.init_app(app)
    web_session.init_app(app, is_https=values.public_url.startswith("https://"))
    rights.init_app(app)
    rate_limits.init_app(app, values.redis_url)
    csrf.init_app(app)
    register_blueprints(app)
    register_commands(app)
    return app


def _rack(values: Settings, instance: Path, store: Store) -> AppContext:
    models = catalog.load(instance / "models.toml")
    figures = Figures(model.id for model in models) if values.metrics else None
    return AppContext(
        settings=values,
        catalog=models,
        plans=plans.load(instance / "plans.toml"),
        store=store,
        meter=Meter(store, lease_clock=DatabaseClock(store), figures=figures),
        engines=_engines(values, models, store),
        figures=figures,
    )


def _engines(values: Settings, models: Catalog, store: Store) -> Engines:
    live = _live_engine(values, models, store)
    return Engines(
        live=live,
        test=Sandbox(
            tuple(model.ollama for model in models),
            pace=values.test_mode_pieces_per_s,
            widths={model.ollama: model.dimensions for model in models if model.is_embedding},
        ),
        live_features=Probe(live, image_urls=values.image_urls),
        test_features=Features(image_urls=values.image_urls),
    )


def _live_engine(values: Settings, models: Catalog, store: Store) -> Engine:
    """The Ollama itself, or the pool in front of one or several once it is known how much each does at a time."""
    connect = partial(Ollama.of, settings=values)
    urls = separated(values.ollama_url)
    if not values.ollama_parallel:
        return connect(urls[0])
    rules = Rules(values.queue_max, values.queue_wait_max_s, values.switch_min_resident_s)
    return Pool(Hosts(store, urls, values.ollama_parallel, values.ollama_max_loaded), connect, models, rules)


def _mailer(values: Settings) -> Mailer:
    if not values.smtp_host:
        return Outbox(shows_text=values.environment != "production")
    return SmtpMailer(
        values.smtp_host,
        values.smtp_port,
        values.mail_from,
        user=values.smtp_user,
        password=values.smtp_password,
        security=values.smtp_security,
    )


def _identity_providers(values: Settings, instance: Path) -> dict[str, IdentityProvider]:
    rows = sign_in.load(instance / "sign_in.toml", os.environ)
    sign_in.check(rows, values)
    if not rows:
        return {}
    # Only here: a server that people sign in to with passwords never loads the libraries for tokens.
    from llmrack.clients.github import GitHub
    from llmrack.clients.openid import OpenIdProvider

    return {row.id: GitHub(row) if row.kind == sign_in.GITHUB else OpenIdProvider(row) for row in rows}


def _till(values: Settings, context: AppContext) -> Billing:
    if not shops.is_configured(values):
        return Billing(context.store, context.plans)
    prices = shops.prices(values.stripe_prices, context.plans)
    # Only here: the package is large, and a server that takes no payments never loads it.
    from llmrack.clients.payments import Stripe

    stripe = Stripe(values.stripe_secret_key, values.stripe_webhook_secret, values.stripe_api_url)
    return Billing(context.store, context.plans, PaymentGateway(stripe, prices, stripe.form_origins))


def _kept_secret(path: Path) -> str:
    """The secret of this installation, made on first start and readable by its owner only. Raises CannotStart."""
    if not path.exists():
        private.write(path, secrets.token_urlsafe(32))
    secret = path.read_text(encoding="ascii").strip()
    if len(secret) < MIN_SECRET_CHARS:
        raise CannotStart(
            f"{path} holds no secret of {MIN_SECRET_CHARS} characters or more. Restore it from a backup, or delete it:"
            " a new one is made, and everybody has to sign in again."
        )
    return secret
