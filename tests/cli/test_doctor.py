"""`flask doctor` names each prepared fault with what mends it, and is silent about a good installation."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.databases import Redis, shared_postgresql
from tests.support.fake_ollama import FakeOllama
from tests.support.servers import ROOT, environment, flask

CANARY = "canary0123456789ABCDEFGHIJKLMNOPqrstuvwxyz"
AWAY = "127.0.0.1:9"


@dataclass
class Site:
    folder: Path
    ollama: FakeOllama
    redis: Redis
    env: dict[str, str]

    def set(self, **settings: Any) -> None:
        self.env |= {f"LLMRACK_{name.upper()}": str(value) for name, value in settings.items()}

    def doctor(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "doctor", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def redis_server() -> Iterator[Redis]:
    server = Redis()
    yield server
    server.remove()


@pytest.fixture
def site(tmp_path: Path, redis_server: Redis) -> Iterator[Site]:
    """SQLite and Redis, with every model of the catalogue."""
    with FakeOllama() as ollama:
        env = environment(
            tmp_path,
            ollama.url,
            environment="production",
            public_url="https://llm.example",
            secret_key=CANARY,
            graceful_timeout_s=120,
            redis_url=redis_server.url,
        )
        flask(env, "db", "upgrade")
        yield Site(tmp_path, ollama, redis_server, env)
    with redis.Redis(port=redis_server.port) as client:
        client.config_set("maxmemory-policy", "noeviction")


def readable_secret(site: Site) -> None:
    instance = site.folder / "instance"
    (instance / "secret_key").write_text(CANARY, encoding="utf-8")
    (instance / "secret_key").chmod(0o644)
    instance.chmod(0o755)


def run_sql(site: Site, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(site.folder / "llmrack.db")) as connection:
        connection.execute(sql)
        connection.commit()


def damage(site: Site) -> None:
    """A page of an index, which a start does not read."""
    run_sql(site, "PRAGMA wal_checkpoint(TRUNCATE)")
    path = site.folder / "llmrack.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'usage_days'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def too_few_connections(site: Site) -> None:
    url = shared_postgresql().create()
    site.set(database_url=url)
    flask(site.env, "db", "upgrade")
    site.set(workers=50)


def wrong_policy(site: Site) -> None:
    with redis.Redis(port=site.redis.port) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")


FAULTS: tuple[tuple[str, str, str, str, Callable[[Site], Any]], ...] = (
    ("plain http", "public_url", "warning", "https", lambda site: site.set(public_url="http://llm.example")),
    ("development", "environment", "warning", "=production", lambda site: site.set(environment="development")),
    ("weak secret", "secret_key", "warning", "LLMRACK_SECRET_KEY", lambda site: site.set(secret_key="ab" * 20)),
    ("readable secret", "files", "warning", "chmod go-rwx", readable_secret),
    ("short grace", "graceful_timeout", "warning", "GRACEFUL", lambda site: site.set(graceful_timeout_s=5)),
    (
        "no database",
        "database",
        "broken",
        "LLMRACK_DATABASE_URL",
        lambda site: site.set(database_url=f"postgresql+psycopg://u:{CANARY}@{AWAY}/d"),
    ),
    ("old schema", "schema", "broken", "db upgrade", lambda site: flask(site.env, "db", "downgrade", "0005")),
    ("no schema", "schema", "broken", "db upgrade", lambda site: run_sql(site, "DROP TABLE alembic_version")),
    (
        "newer schema",
        "schema",
        "broken",
        "newer one",
        lambda site: run_sql(site, "UPDATE alembic_version SET version_num = '9999'"),
    ),
    ("damaged file", "integrity", "broken", "backup", damage),
    ("few connections", "connections", "warning", "max_connections", too_few_connections),
    ("no redis", "redis", "broken", "LLMRACK_REDIS_URL", lambda s: s.set(redis_url=f"redis://:{CANARY}@{AWAY}/0")),
    ("wrong policy", "redis", "warning", "noeviction", wrong_policy),
    ("no ollama", "ollama", "broken", "LLMRACK_OLLAMA_URL", lambda site: site.ollama.down()),
    ("old ollama", "ollama", "warning", "0.12.11", lambda site: site.ollama.settings(version="0.5.1")),
    ("no model", "models", "broken", "ollama pull qwen2.5:7b", lambda site: site.ollama.remove("qwen2.5:7b")),
)


@pytest.mark.parametrize(("id_", "state", "mend", "prepare"), [pytest.param(*row[1:], id=row[0]) for row in FAULTS])
def test_a_prepared_fault_is_found_and_its_mend_named(
    site: Site, id_: str, state: str, mend: str, prepare: Callable[[Site], Any]
) -> None:
    prepare(site)
    done = site.doctor("--json")
    rows = {row["id"]: row for row in json.loads(done.stdout)}
    assert rows[id_]["state"] == state, rows
    assert mend in rows[id_]["mend"]
    assert done.returncode == (1 if any(row["state"] == "broken" for row in rows.values()) else 0)
    assert CANARY not in done.stdout + done.stderr


def test_a_good_installation_raises_no_alarm_and_shows_no_secret(site: Site) -> None:
    done = site.doctor()
    assert done.returncode == 0, done.stdout
    assert {line.split()[0] for line in done.stdout.splitlines()} == {"ok"}, done.stdout
    assert CANARY not in done.stdout + done.stderr


def test_a_good_installation_on_postgresql_raises_no_alarm(site: Site) -> None:
    site.set(database_url=shared_postgresql().create(), workers=2)
    flask(site.env, "db", "upgrade")
    done = site.doctor()
    assert {line.split()[0] for line in done.stdout.splitlines()} == {"ok"}, done.stdout


def test_a_setting_that_no_row_knows_is_named(site: Site) -> None:
    site.env["LLMRACK_OLAMA_URL"] = CANARY
    done = site.doctor()
    assert (done.returncode, "LLMRACK_OLAMA_URL is not a setting" in done.stderr) == (1, True)
    assert CANARY not in done.stdout + done.stderr
