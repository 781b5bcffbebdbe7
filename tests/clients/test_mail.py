"""Mail leaves by SMTP, or stays where a developer sees it."""

import logging

import pytest

from llmrack.clients.mail import Mail, MailFailed, Outbox, SmtpMailer
from tests.support.servers import free_port
from tests.support.smtp import Smtp

MAIL = Mail("ada@example.com", "Hëllo", "One line.\n.\nhttp://example.com/verify?token=abc\n")


def test_a_mail_arrives_whole_by_smtp() -> None:
    with Smtp() as server:
        SmtpMailer("127.0.0.1", server.port, "LLMRack <context@example.com>", security="none").send(MAIL)
        message = server.wait("ada@example.com")
    assert message["From"] == "LLMRack <context@example.com>"
    assert message["To"] == "ada@example.com"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@example.com>")
    text = message.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert text.decode().replace("\r\n", "\n") == MAIL.text


def test_a_server_that_refuses_or_is_away_is_a_failure_without_the_text() -> None:
    with Smtp(refuses=True) as server, pytest.raises(MailFailed) as refused:
        SmtpMailer("127.0.0.1", server.port, "context@example.com", security="none").send(MAIL)
    assert "SMTPRecipientsRefused" in str(refused.value)
    with pytest.raises(MailFailed) as away:
        SmtpMailer("127.0.0.1", free_port(), "context@example.com", security="none").send(MAIL)
    assert "token" not in str(refused.value) + str(away.value)


def test_starttls_is_not_left_out_when_a_server_lacks_it() -> None:
    with Smtp() as server, pytest.raises(MailFailed):
        SmtpMailer("127.0.0.1", server.port, "context@example.com", security="starttls").send(MAIL)
    assert server.messages == []


def test_a_line_break_in_a_subject_cannot_add_a_header() -> None:
    mail = Mail("ada@example.com", "Hello\r\nBcc: eve@example.com", "x")
    with Smtp() as server, pytest.raises((MailFailed, ValueError)):
        SmtpMailer("127.0.0.1", server.port, "context@example.com", security="none").send(mail)
    assert server.messages == []


def test_the_outbox_keeps_mails_while_developing_only(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        shown, hidden = Outbox(shows_text=True), Outbox(shows_text=False)
        shown.send(MAIL)
        assert "token=abc" in caplog.text
        caplog.clear()
        hidden.send(MAIL)
    assert list(shown.sent) == [MAIL]
    assert list(hidden.sent) == []
    assert "token" not in caplog.text
    assert "LLMRACK_SMTP_HOST" in caplog.text
