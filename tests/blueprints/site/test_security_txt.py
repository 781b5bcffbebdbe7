"""/.well-known/security.txt says where to report a weakness, where the operator has said it (RFC 9116)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from llmrack.settings import BadSetting
from tests.support.shops import close, make_app

PATH = "/.well-known/security.txt"


def test_without_a_contact_there_is_no_file(app: Flask) -> None:
    assert app.test_client().get(PATH).status_code == 404


@pytest.mark.parametrize(
    ("contact", "uri"),
    [
        ("security@example.org", "mailto:security@example.org"),
        ("https://example.org/report?x=1", "https://example.org/report?x=1"),
    ],
)
def test_the_file_names_the_contact_and_a_day_within_a_year(tmp_path: Path, contact: str, uri: str) -> None:
    app = make_app(tmp_path, security_contact=contact, public_url="https://llm.example.org/")
    try:
        answer = app.test_client().get(PATH, headers={"Host": "evil.example"})
        assert (answer.status_code, answer.content_type) == (200, "text/plain; charset=utf-8")
        fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
        assert fields["Contact"] == uri
        assert fields["Canonical"] == f"https://llm.example.org{PATH}"
        expires = datetime.fromisoformat(fields["Expires"])
        assert timedelta(days=90) < expires - datetime.now(UTC) < timedelta(days=365)
        assert "evil.example" not in answer.text
    finally:
        close(app)


@pytest.mark.parametrize(
    "contact", ["security", "a@b", "http://example.org", "https://", "x@example.org\nContact: mailto:evil@example.org"]
)
def test_a_contact_that_is_none_stops_the_start(tmp_path: Path, contact: str) -> None:
    with pytest.raises(BadSetting, match="LLMRACK_SECURITY_CONTACT"):
        create_app({"instance_dir": str(tmp_path), "security_contact": contact})


def test_a_wrong_word_about_the_second_factor_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="takes warn or require"):
        create_app({"instance_dir": str(tmp_path), "operator_second_factor": "yes"})
