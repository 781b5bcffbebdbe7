"""HTTP only: parse the request, call one function of `llmrack`, render what comes back."""

from flask import Flask

from . import admin, ollama_api, scim, v1, webhooks
from .account import connections, first_operator, invites, login, providers, recovery, settings
from .dashboard import billing, keys, overview, team, teams, usage
from .site import demo, docs, health, home, metrics, openapi, playground
from .web import assets


def register_blueprints(app: Flask) -> None:
    """Every blueprint with its prefix, in the order in which routes are matched."""
    app.register_blueprint(v1.create_blueprint(), url_prefix="/v1")
    app.register_blueprint(ollama_api.create_blueprint(), url_prefix="/api")
    app.register_blueprint(openapi.bp)
    app.register_blueprint(health.bp)
    app.register_blueprint(metrics.bp)
    app.register_blueprint(home.bp)
    app.register_blueprint(demo.bp)
    app.register_blueprint(assets.bp)
    app.register_blueprint(playground.bp)
    app.register_blueprint(login.bp)
    app.register_blueprint(providers.bp, url_prefix="/login/with")
    app.register_blueprint(recovery.bp)
    app.register_blueprint(invites.bp)
    app.register_blueprint(first_operator.bp)
    app.register_blueprint(overview.bp)
    app.register_blueprint(keys.bp, url_prefix="/dashboard/keys")
    app.register_blueprint(team.bp, url_prefix="/dashboard/team")
    app.register_blueprint(teams.bp, url_prefix="/dashboard/teams")
    app.register_blueprint(usage.bp, url_prefix="/dashboard/usage")
    app.register_blueprint(settings.bp, url_prefix="/dashboard/settings")
    app.register_blueprint(connections.bp, url_prefix="/dashboard/settings/connections")
    app.register_blueprint(billing.bp, url_prefix="/dashboard/billing")
    app.register_blueprint(admin.bp, url_prefix="/admin")
    webhooks.init_app(app)
    scim.init_app(app)
    app.register_blueprint(docs.bp)
    # Last, because it checks its links against every route.
    docs.init_app(app)
