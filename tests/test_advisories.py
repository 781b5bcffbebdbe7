"""Pinned versions are compared with advisories, and a database out of reach fails nothing."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.support import advisories
from tests.support.servers import ROOT


class Database(BaseHTTPRequestHandler):
    """osv.dev's batch question, as far as it is used: one result for each query, in their order."""

    known: dict[str, list[str]] = {}

    def do_POST(self) -> None:
        assert self.path == "/v1/querybatch"
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        assert all(query["package"]["ecosystem"] == "PyPI" and query["version"] for query in queries)
        ids = [self.known.get(query["package"]["name"], []) for query in queries]
        body = json.dumps({"results": [{"vulns": [{"id": id_} for id_ in row]} if row else {} for row in ids]}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """The tests' output is the place for nothing else."""


@pytest.fixture
def database() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Database)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    Database.known = {}


def audit(database: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["script/audit", "--database", database, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_the_kept_list_is_of_the_versions_that_are_pinned() -> None:
    kept = advisories.last()
    assert kept["versions"] == [f"{name}=={version}" for name, version in advisories.pins()]
    assert len(kept["versions"]) > 50


def test_a_version_with_an_advisory_fails_and_is_named(database: str) -> None:
    Database.known = {"jinja2": ["GHSA-0000-0000-0000", "PYSEC-0000-1"]}
    done = audit(database)
    assert done.returncode == 1
    assert done.stdout.startswith("jinja2 ")
    assert "GHSA-0000-0000-0000, PYSEC-0000-1" in done.stdout


def test_versions_without_one_pass_and_the_day_is_kept(database: str, tmp_path: Path) -> None:
    kept = tmp_path / "list.toml"
    done = audit(database, "--write", "--list", str(kept))
    assert done.returncode == 0, done.stderr
    assert "pinned versions have no advisory" in done.stdout
    assert advisories.last(kept)["compared_with"] == database
    assert advisories.last(kept)["compared_on"] != advisories.NEVER


def test_a_database_out_of_reach_is_said_with_the_last_day_and_fails_nothing(tmp_path: Path) -> None:
    kept = tmp_path / "list.toml"
    kept.write_text(advisories.listing(advisories.pins(), "2026-01-02", "x"), encoding="utf-8")
    done = audit("http://127.0.0.1:9", "--list", str(kept))
    assert (done.returncode, done.stdout) == (0, "")
    assert "Last compared: 2026-01-02" in done.stderr
