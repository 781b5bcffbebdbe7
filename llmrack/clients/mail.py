"""Mail: by SMTP when a server is named, otherwise to the log and, while developing, to a list that a page shows."""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections import deque
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Protocol

log = logging.getLogger(__name__)

# Connecting, and each answer of the mail server.
TIMEOUT_S = 15.0
KEPT = 50


class MailFailed(Exception):
    """The mail server could not be reached or refused; the message says which, without the mail's text."""


@dataclass(frozen=True)
class Mail:
    """One message in plain text."""

    to: str
    subject: str
    text: str


class Mailer(Protocol):
    """`is_configured` says whether mail reaches people."""

    is_configured: bool

    def send(self, mail: Mail) -> None:
        """Raises MailFailed."""


class SmtpMailer:
    """Sends through one SMTP server. `security` is "starttls", "tls" or "none"."""

    is_configured = True

    def __init__(self, host: str, port: int, sender: str, *, user: str = "", password: str = "", security: str) -> None:
        self._host, self._port, self._sender = host, port, sender
        self._user, self._password, self._security = user, password, security

    def send(self, mail: Mail) -> None:
        try:
            with self._connect() as server:
                if self._security == "starttls":
                    server.starttls(context=ssl.create_default_context())
                if self._user:
                    server.login(self._user, self._password)
                server.send_message(_message(mail, self._sender))
        except (OSError, smtplib.SMTPException) as error:
            # A server's refusal may quote the message: only its kind is passed on.
            raise MailFailed(f"{self._host}:{self._port} did not take the mail: {type(error).__name__}") from None

    def _connect(self) -> smtplib.SMTP:
        if self._security == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self._host, self._port, timeout=TIMEOUT_S, context=context)
        return smtplib.SMTP(self._host, self._port, timeout=TIMEOUT_S)


class Outbox:
    """Stands in for a mail server. With `shows_text` the whole mail goes to the log and to `sent`, newest first."""

    is_configured = False

    def __init__(self, *, shows_text: bool) -> None:
        self._shows_text = shows_text
        self.sent: deque[Mail] = deque(maxlen=KEPT)

    def send(self, mail: Mail) -> None:
        if self._shows_text:
            self.sent.appendleft(mail)
            log.info("mail to %s: %s\n%s", mail.to, mail.subject, mail.text)
        else:
            log.warning("a mail was not sent, because LLMRACK_SMTP_HOST is not set: %s", mail.subject)


def _message(mail: Mail, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, mail.to, mail.subject
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2].strip("> ") or "localhost")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    return message
