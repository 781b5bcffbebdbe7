"""A real server that is scraped."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import requests

from tests.support.fake_ollama import FakeOllama

from .conftest import start_rig


def test_the_scraped_tokens_are_those_of_the_usage_records(tmp_path: Path, fake_ollama: FakeOllama) -> None:
    rig = start_rig(tmp_path, fake_ollama, metrics="true", metrics_token="t" * 40)
    with rig.server as server:
        for number in range(6):
            assert rig.answer(f"hi {number}").status == 200
        url = f"{server.url}/metrics"
        text = requests.get(url, timeout=10).text
        forwarded = {"X-Forwarded-For": "9.9.9.9"}
        assert requests.get(url, headers=forwarded, timeout=10).status_code == 404
        assert requests.get(url, headers={"Host": "example.com"}, timeout=10).status_code == 404
        bearer = {"Authorization": f"Bearer {'t' * 40}"}
        assert requests.get(url, headers=forwarded | bearer, timeout=10).status_code == 200
    with sqlite3.connect(tmp_path / "llmrack.db") as database:
        (stored,) = database.execute("SELECT sum(prompt_tokens + completion_tokens) FROM usage").fetchone()
    scraped = sum(map(float, re.findall(r"^llmrack_tokens_total\{.*\} (\S+)$", text, re.M)))
    assert stored == scraped > 0
    assert 'llmrack_outcomes_total{model="phi-3-mini",outcome="completed"} 6.0' in text


def test_without_the_setting_there_is_no_such_page(tmp_path: Path, fake_ollama: FakeOllama) -> None:
    rig = start_rig(tmp_path, fake_ollama)
    with rig.server as server:
        assert requests.get(f"{server.url}/metrics", timeout=10).status_code == 404
