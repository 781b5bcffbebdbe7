"""Imports point downward only: each package may import what its row names and nothing else, with no exceptions."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = {"llmrack"}
WIRE = CORE | {"llmrack.wire", "msgspec", "jsonschema", "jsonschema_specifications", "referencing", "re2"}
STORE = CORE | {"llmrack.store", "sqlalchemy"}

# The first row whose name is a prefix of the module decides.
ROWS = (
    ("llmrack.store.db", STORE | {"flask_sqlalchemy"}),
    ("llmrack.store", STORE),
    ("llmrack.wire", WIRE),
    ("llmrack.engines", WIRE | {"llmrack.engines", "requests"}),
    ("llmrack.clients", WIRE | {"llmrack.clients", "requests", "stripe"}),
    (
        "llmrack.services",
        WIRE
        | STORE
        | {"llmrack.engines", "llmrack.clients", "llmrack.services"}
        | {"argon2", "email_validator", "gevent", "pyotp"},
    ),
    ("llmrack.docsite", WIRE | {"llmrack.docsite", "markdown", "pygments"}),
    ("llmrack", CORE),
)
WEB = {
    "llmrack.*", "blueprints", "cli", "flask", "flask_limiter", "limits", "flask_login", "flask_migrate", "flask_wtf",
    "werkzeug", "click", "msgspec", "gevent", "gunicorn", "wtforms", "itsdangerous", "markupsafe", "segno",
}  # fmt: skip
PACKAGES = (
    "llmrack.store",
    "llmrack.wire",
    "llmrack.engines",
    "llmrack.clients",
    "llmrack.services",
    "llmrack.docsite",
)


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


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


def layer(name: str) -> str:
    """The package a name belongs to: llmrack's own packages count separately, everything else by its first word."""
    for package in PACKAGES:
        if name == package or name.startswith(package + "."):
            return package
    return name.split(".", 1)[0]


@pytest.mark.parametrize("path", modules("llmrack"), ids=name_of)
def test_domain_modules_import_only_what_their_row_allows(path: Path) -> None:
    allowed = next(allow for prefix, allow in ROWS if (name_of(path) + ".").startswith(prefix + "."))
    used = {layer(name) for name in imported(path)}
    assert used - allowed - sys.stdlib_module_names == set()


@pytest.mark.parametrize("path", modules("server"), ids=name_of)
def test_the_server_imports_gunicorn_alone(path: Path) -> None:
    """The master loads the worker's class before the fork, when nothing may be imported that gevent has to patch."""
    assert {layer(name) for name in imported(path)} - {"gunicorn"} - sys.stdlib_module_names == set()


@pytest.mark.parametrize("path", [*modules("blueprints"), *modules("cli")], ids=name_of)
def test_web_modules_import_the_domain_and_flask(path: Path) -> None:
    used = {"llmrack.*" if layer(name).startswith("llmrack") else layer(name) for name in imported(path)}
    assert used - WEB - sys.stdlib_module_names == set()


def test_a_module_that_looks_up_is_found_out() -> None:
    assert layer("llmrack.services.keys.issue") == "llmrack.services"
    assert "llmrack.services" not in dict(ROWS)["llmrack.engines"]
