"""Mail to people: templates become text here, and a thread hands them over, so that no answer waits for it."""

from __future__ import annotations

import logging
import threading
from typing import Any

from flask import has_request_context, render_template, request

from llmrack import deployment
from llmrack.clients.mail import Mail, Mailer, MailFailed

from ..extensions import context, mailer

log = logging.getLogger(__name__)


def send(template: str, to: str, **values: Any) -> None:
    """Render templates/mail/<template>.txt, whose first line is the subject, and send it to `to`."""
    site = deployment.base_url(context.settings)
    subject, _, text = render_template(f"mail/{template}.txt", to=to, site=site, **values).partition("\n")
    box: Mailer = mailer._get_current_object()  # type: ignore[attr-defined]
    mail = Mail(to, subject.strip(), text.strip() + "\n")
    threading.Thread(target=_deliver, args=(box, mail), name="mail", daemon=True).start()


def _deliver(box: Mailer, mail: Mail) -> None:
    try:
        box.send(mail)
    except MailFailed as failure:
        log.error("a mail was not sent (%s): %s", mail.subject, failure)


def site_url() -> str:
    """Where the site is for the reader of a page. Nothing that is sent or kept may use it: a Host header is a claim."""
    if context.settings.public_url or mailer.is_configured or not has_request_context():
        return deployment.base_url(context.settings)
    return request.host_url.rstrip("/")
