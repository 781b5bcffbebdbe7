"""How far a reader has to walk: `script/walk` follows requests through the code and counts what it meets.

A streamed chat of eleven events and a page of the documentation, answered in this process; then the size of the house.
"""

from __future__ import annotations

import ast
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from tests.support.fake_ollama import FakeOllama

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("llmrack", "blueprints", "server", "cli")


class Walk:
    """The modules of ours that a piece of work enters, in order, and how many calls it makes in all."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self.calls = 0
        self._names: dict[str, str | None] = {}

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        self.calls += 1
        file = frame.f_code.co_filename
        if file not in self._names:
            path = Path(file)
            inside = path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in (*PRODUCT, "app.py")
            self._names[file] = str(path.relative_to(ROOT)) if inside else None
        name = self._names[file]
        if name is not None and (not self.entered or self.entered[-1] != name):
            self.entered.append(name)

    def of(self, work: Callable[[], Any]) -> Walk:
        sys.setprofile(self._note)
        try:
            work()
        finally:
            sys.setprofile(None)
        return self

    @property
    def modules(self) -> int:
        return len(set(self.entered))

    @property
    def changes(self) -> int:
        return max(0, len(self.entered) - 1)


def house() -> dict[str, Any]:
    """Its size: modules, lines, public docstrings, and the largest folder."""
    paths = [path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py")]
    folders = Counter(path.parent.relative_to(ROOT) for path in paths if path.name != "__init__.py")
    folder, count = folders.most_common(1)[0]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in paths]
    parts = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return {
        "modules": len(paths),
        "lines": sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths),
        "files in the largest folder": f"{count} ({folder})",
        "functions and classes": len(parts),
        "public ones with a docstring": sum(
            ast.get_docstring(part) is not None for part in parts if not part.name.startswith("_")
        ),
    }


def main() -> None:
    from app import create_app

    with tempfile.TemporaryDirectory() as folder, FakeOllama() as ollama:
        app = create_app({"instance_dir": folder, "ollama_url": ollama.url, "log_level": "error"})
        commands = app.test_cli_runner()
        commands.invoke(args=["db", "upgrade"])
        secret = commands.invoke(args=["keys", "create", "--name", "walk"]).output.split()[-1]
        client, headers = app.test_client(), {"Authorization": f"Bearer {secret}"}
        body = {"model": "phi-3-mini", "messages": [{"role": "user", "content": "Count from 1 to 5"}], "stream": True}

        def chat() -> None:
            answer = client.post("/v1/chat/completions", json=body, headers=headers)
            assert answer.status_code == 200, answer.text
            assert answer.text.rstrip().endswith("[DONE]"), answer.text

        def page() -> None:
            assert client.get("/docs/quickstart", headers={"Accept": "text/html"}).status_code == 200

        for work in (chat, page):
            # What is made once is not part of a walk.
            work()
        chat_walk, page_walk = Walk().of(chat), Walk().of(page)
    if "--list" in sys.argv:
        print("\n".join(chat_walk.entered))
    print(f"streamed chat: {chat_walk.modules} modules, {chat_walk.changes} changes between them")
    print(f"docs page: {page_walk.modules} modules, {page_walk.calls} calls")
    for name, value in house().items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
