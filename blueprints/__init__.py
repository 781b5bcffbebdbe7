"""HTTP only: parse the request, call one function of `llmrack`, render what comes back."""

from flask import Flask

from . import assets, docs, health, openapi, pages, playground, v1


def register_blueprints(app: Flask) -> None:
    """Every blueprint with its prefix, in the order in which routes are matched."""
    app.register_blueprint(v1.create_blueprint(), url_prefix="/v1")
    app.register_blueprint(openapi.bp)
    app.register_blueprint(health.bp)
    app.register_blueprint(pages.bp)
    app.register_blueprint(assets.bp)
    app.register_blueprint(playground.bp)
    app.register_blueprint(docs.bp)
    # Last, because it checks its links against every route.
    docs.init_app(app)
