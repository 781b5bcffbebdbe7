"""Mail to people: templates become text here, and a thread hands them over, so that no answer waits for it."""

from __future__ import annotations

import logging
import threading
from typing import Any

from flask import has_request_context, render_template, request

from llmrack.clients.mail import Mail, Mailer, MailFailed

from .extensions import mailer, rack

log = logging.getLogger(__name__)


def send(template: str, to: str, **values: Any) -> None:
    """Render templates/mail/<template>.txt, whose first line is the subject, and send it to `to`."""
    subject, _, text = render_template(f"mail/{template}.txt", to=to, site=site_url(), **values).partition("\n")
    box: Mailer = mailer._get_current_object()  # type: ignore[attr-defined]
    mail = Mail(to, subject.strip(), text.strip() + "\n")
    threading.Thread(target=_deliver, args=(box, mail), name="mail", daemon=True).start()


def _deliver(box: Mailer, mail: Mail) -> None:
    try:
        box.send(mail)
    except MailFailed as failure:
        log.error("a mail was not sent (%s): %s", mail.subject, failure)


def site_url() -> str:
    """Where links in mails lead. A Host header is anybody's claim, so no mail that really leaves believes it."""
    if rack.settings.public_url:
        return str(rack.settings.public_url).rstrip("/")
    if mailer.is_configured or not has_request_context():
        return f"http://{rack.settings.host}:{rack.settings.port}"
    return request.host_url.rstrip("/")
