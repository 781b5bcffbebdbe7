"""The mail that confirms an address."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import request, url_for

from llmrack.accounts import links

from ..extensions import context
from ..web import mail


def send(account_id: int, email: str, browser: str | None = None) -> None:
    token = links.make(context.store, account_id, links.VERIFY, email, datetime.now(UTC), browser)
    browser_name = request.user_agent.string[:120] or "an unnamed browser"
    asked_from = f"{request.remote_addr or 'an unknown address'} ({browser_name})"
    mail.send("verify", email, path=url_for("account.verify", token=token), asked_from=asked_from)
