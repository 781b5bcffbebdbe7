"""The settings of a shop, checked before a server starts: what half of them would do is nothing anybody wants."""

from __future__ import annotations

from .plans import Plans
from .settings import BadSetting, Settings


def is_configured(settings: Settings) -> bool:
    """Whether payments are taken. Raises BadSetting for a shop of which a part is missing."""
    if not settings.stripe_secret_key:
        for name in ("stripe_webhook_secret", "stripe_prices"):
            if getattr(settings, name):
                raise BadSetting(f"LLMRACK_{name.upper()} is set without LLMRACK_STRIPE_SECRET_KEY. Set both or none.")
        return False
    if not settings.stripe_webhook_secret:
        raise BadSetting(
            "LLMRACK_STRIPE_SECRET_KEY without LLMRACK_STRIPE_WEBHOOK_SECRET would take money and grant nothing. Set "
            "the signing secret of a webhook for <public URL>/webhooks/stripe; `flask billing events` lists its events."
        )
    if settings.environment == "production" and not settings.public_url:
        raise BadSetting("LLMRACK_STRIPE_SECRET_KEY needs LLMRACK_PUBLIC_URL, where Stripe sends people back to.")
    return True


def prices(text: str, plans: Plans) -> dict[str, str]:
    """The price of each plan from "pro=price_1 business=price_2". Raises BadSetting."""
    found: dict[str, str] = {}
    for pair in text.replace(",", " ").split():
        plan_id, equals, price_id = pair.partition("=")
        plan = plans.get(plan_id)
        if not equals or not price_id.startswith("price_"):
            raise BadSetting(f"LLMRACK_STRIPE_PRICES has {pair!r}. It takes pairs such as pro=price_1A.")
        if plan is None or not plan.monthly_nanousd:
            raise BadSetting(f"LLMRACK_STRIPE_PRICES names {plan_id!r}, which is no plan with a monthly price.")
        if price_id in found.values():
            raise BadSetting(f"LLMRACK_STRIPE_PRICES gives {price_id} to two plans.")
        found[plan_id] = price_id
    return found
