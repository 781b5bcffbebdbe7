"""Imports point downward only: each package may import what its row names and nothing else, with no exceptions."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("llmrack", "server", "blueprints", "cli")
MOST_FILES = 15
CORE = {"llmrack"}
WIRE = CORE | {"llmrack.wire", "msgspec", "jsonschema", "jsonschema_specifications", "referencing", "re2"}
STORE = CORE | {"llmrack.store", "sqlalchemy"}
ENGINES = WIRE | {"llmrack.engines", "requests"}
CLIENTS = WIRE | {"llmrack.clients", "requests", "stripe", "authlib", "joserfc"}
ACCOUNTS = STORE | {"llmrack.accounts", "gevent", "argon2", "email_validator", "pyotp"}
TEAMS = ACCOUNTS | {"llmrack.teams"}
KEYS = STORE | {"llmrack.accounts", "llmrack.keys"}
MONITORING = CORE | {"llmrack.monitoring", "prometheus_client"}
METERING = KEYS | {"llmrack.monitoring", "llmrack.metering", "llmrack.wire", "msgspec", "gevent"}
BILLING = KEYS | {"llmrack.metering", "llmrack.clients", "llmrack.billing"}
POOL = ENGINES | STORE | {"llmrack.accounts", "llmrack.pool"}
INFERENCE = METERING | ENGINES | {"llmrack.inference"}
DIAGNOSIS = INFERENCE | {"llmrack.diagnosis", "alembic", "redis"}
LLMRACK = TEAMS | DIAGNOSIS | BILLING | POOL | CLIENTS | {"llmrack.docsite"}
WEB = LLMRACK | {
    "blueprints", "server", "flask", "flask_limiter", "limits", "flask_login", "flask_wtf", "werkzeug", "wtforms",
    "itsdangerous", "markupsafe", "segno", "gevent",
}  # fmt: skip

# The first row whose name is a prefix of the module decides.
ROWS = (
    ("llmrack.store.database", STORE | {"flask_sqlalchemy"}),
    ("llmrack.store", STORE),
    ("llmrack.wire", WIRE),
    ("llmrack.engines", ENGINES),
    ("llmrack.clients", CLIENTS),
    ("llmrack.accounts", ACCOUNTS),
    ("llmrack.teams", TEAMS),
    ("llmrack.keys", KEYS),
    ("llmrack.monitoring", MONITORING),
    ("llmrack.metering", METERING),
    ("llmrack.billing", BILLING),
    ("llmrack.inference", INFERENCE),
    ("llmrack.pool", POOL),
    ("llmrack.diagnosis", DIAGNOSIS),
    ("llmrack.docsite", WIRE | {"llmrack.monitoring", "llmrack.docsite", "markdown", "pygments"}),
    ("llmrack", CORE),
    # The master loads the worker's class before the fork, when nothing may be imported that gevent has to patch.
    ("server.worker", {"server", "gunicorn"}),
    ("server", LLMRACK | {"server", "flask", "blueprints", "gunicorn", "gevent"}),
    ("blueprints", WEB),
    ("cli", LLMRACK | {"cli", "blueprints", "flask", "flask_migrate", "click"}),
    ("app", WEB | {"cli", "flask_migrate"}),
    ("wsgi", {"app", "dotenv", "llmrack"}),
    ("gunicorn.conf", {"server", "llmrack", "llmrack.monitoring", "blueprints", "dotenv"}),
)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {
    name_of(path): path
    for path in [
        *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))),
        *(ROOT / name for name in ("app.py", "wsgi.py", "gunicorn.conf.py")),
    ]
}


def imported(path: Path) -> Iterator[str]:
    """The absolute names a module imports, also inside functions."""
    package = list(path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (start, node.module or "") if part)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def modules_of(path: Path) -> set[str]:
    """The modules of ours that a module imports."""
    return {name if name in MODULES else name.rpartition(".")[0] for name in imported(path)} & MODULES.keys()


def layer(name: str) -> str:
    """The package a name belongs to: llmrack's own packages count separately, everything else by its first word."""
    words = name.split(".")
    is_package = words[0] == "llmrack" and len(words) > 1 and (ROOT / "llmrack" / words[1]).is_dir()
    return f"llmrack.{words[1]}" if is_package else words[0]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_what_its_row_allows(name: str) -> None:
    allowed = next(allow for prefix, allow in ROWS if f"{name}.".startswith(f"{prefix}."))
    assert {layer(other) for other in imported(MODULES[name])} - allowed - sys.stdlib_module_names == set()


def test_no_module_leads_back_to_itself() -> None:
    graph = {name: modules_of(path) - {name} for name, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def is_view(name: str) -> bool:
    """Whether a module has routes of its own; the package that gathers a blueprint's is none."""
    path = MODULES[name]
    return path.stem != "__init__" and "@bp." in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("blueprints.") and is_view(name)])
def test_a_view_imports_no_other_view(name: str) -> None:
    assert {other for other in modules_of(MODULES[name]) - {name} if is_view(other)} == set()


def test_a_folder_holds_few_files() -> None:
    folders = {path.parent for path in MODULES.values()} - {ROOT}
    counts = {str(folder.relative_to(ROOT)): len([*folder.glob("*.py")]) for folder in folders}
    assert {folder: count for folder, count in counts.items() if count > MOST_FILES + 1} == {}


def test_a_module_that_looks_up_is_found_out() -> None:
    assert layer("llmrack.keys.keys.issue") == "llmrack.keys"
    assert "llmrack.keys" not in dict(ROWS)["llmrack.engines"]
    assert "server.connections" in modules_of(MODULES["blueprints.extensions"])
