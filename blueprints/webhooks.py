"""What Stripe tells us. The route exists only where a secret to check its signature with is configured."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Flask, jsonify, request

from llmrack.billing import webhooks
from llmrack.billing.checkout import Billing
from llmrack.billing.subscriptions import Stale
from llmrack.clients.provider import BadSignature, Provider, ProviderAway
from llmrack.errors import InvalidRequest, Unavailable

log = logging.getLogger(__name__)

RETRY_AFTER_S = 60


def init_app(app: Flask) -> None:
    books: Billing = app.extensions["llmrack_till"]
    if books.shop is None:
        return
    provider, bp = books.shop.provider, Blueprint("webhooks", __name__)

    @bp.post("/webhooks/stripe")
    def receive() -> Any:
        return _receive(books, provider)

    app.register_blueprint(bp)


def _receive(books: Billing, provider: Provider) -> Any:
    """200 once the message is acted on, or was before; anything else makes Stripe send it again, for three days."""
    now = datetime.now(UTC)
    try:
        event = provider.event(request.get_data(), request.headers.get("Stripe-Signature"), now)
    except BadSignature as error:
        raise InvalidRequest(str(error), code="bad_signature") from error
    try:
        result = webhooks.handle(books, event, now)
    except (ProviderAway, Stale) as error:
        log.warning("a payment event waits to be sent again: %s", error, extra={"event_id": event.id})
        raise Unavailable("Not now. Send it again.", retry_after_s=RETRY_AFTER_S) from error
    return jsonify(result=result)
