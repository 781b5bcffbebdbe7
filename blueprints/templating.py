"""Filters for templates: values arrive finished, these only write them out."""

from flask import Flask

from llmrack import money


def init_app(app: Flask) -> None:
    app.jinja_env.filters["usd_per_million"] = money.usd_per_million
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
