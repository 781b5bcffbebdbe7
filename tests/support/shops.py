"""An application that takes payments from the small Stripe, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_migrate import upgrade
from werkzeug.test import TestResponse

from app import create_app
from llmrack.inference.context import AppContext
from tests.support.fake_stripe import SECRET_KEY, WEBHOOK_SECRET, FakeStripe
from tests.support.stripe.objects import Object
from tests.support.visitor import Visitor, make_person


def shop_settings(stripe: FakeStripe) -> dict[str, Any]:
    prices = f"pro={stripe.price(1500)} business={stripe.price(6500)}"
    return {
        "stripe_secret_key": SECRET_KEY,
        "stripe_webhook_secret": WEBHOOK_SECRET,
        "stripe_prices": prices,
        "stripe_api_url": stripe.url,
    }


def make_app(folder: Path, **settings: Any) -> Flask:
    app = create_app(
        {"instance_dir": str(folder), "ollama_url": "http://127.0.0.1:9", "test_mode_pieces_per_s": 0.0}
        | {"log_level": "error"}
        | settings
    )
    with app.app_context():
        upgrade()
    return app


def close(app: Flask) -> None:
    context: AppContext = app.extensions["llmrack"]
    context.engines.live.close()
    context.store.engine.dispose()


@pytest.fixture(scope="module")
def stripe() -> Iterator[FakeStripe]:
    with FakeStripe() as fake:
        yield fake


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, stripe: FakeStripe) -> Iterator[Flask]:
    app = make_app(tmp_path_factory.mktemp("shop"), **shop_settings(stripe))
    yield app
    close(app)


@pytest.fixture
def customer(shop: Flask, address: str, email: str) -> Visitor:
    """Somebody who is signed in where payments are taken."""
    make_person(shop, email)
    visitor = Visitor(shop, address)
    assert visitor.sign_in(email).status_code == 303
    return visitor


@pytest.fixture
def deliver(shop: Flask, stripe: FakeStripe) -> Callable[[], list[TestResponse]]:
    """Posts what has happened since the last time to the route for it."""

    def deliver_new() -> list[TestResponse]:
        new = stripe.events[stripe._delivered :]
        stripe._delivered = len(stripe.events)
        return [post_event(shop, stripe, event) for event in new]

    return deliver_new


def post_event(shop: Flask, stripe: FakeStripe, event: Object, **signing: Any) -> TestResponse:
    body, signature = stripe.sign(event, **signing)
    return shop.test_client().post("/webhooks/stripe", data=body, headers={"Stripe-Signature": signature})
