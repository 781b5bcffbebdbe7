"""Images in chat: inside the request always, by URL only where the operator allows it, and never from this machine."""

from __future__ import annotations

import base64
import socket
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from llmrack.inference.context import AppContext
from tests.blueprints.v1.conftest import Api, issue, make_app
from tests.support.fake_ollama import FakeOllama

VISION = '[models.llava-7b]\nenabled = true\nollama = "gemma3:4b"\n'


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\0\0\0")) + chunk(b"IEND", b"")
    )


def vision_app(folder: Path, ollama: FakeOllama, **settings: Any) -> Iterator[Api]:
    folder.mkdir(exist_ok=True)
    (folder / "models.toml").write_text(VISION, encoding="utf-8")
    app: Flask = make_app(folder, ollama, **settings)
    context: AppContext = app.extensions["llmrack"]
    yield Api(app.test_client(), issue(context, None, "live"))
    context.engines.live.close()
    context.store.engine.dispose()


@pytest.fixture
def closed(tmp_path: Path, fake_ollama: FakeOllama) -> Iterator[Api]:
    yield from vision_app(tmp_path, fake_ollama)


@pytest.fixture
def opened(tmp_path: Path, fake_ollama: FakeOllama) -> Iterator[Api]:
    yield from vision_app(tmp_path, fake_ollama, image_urls=True)


def ask(api: Api, url: str, model: str = "llava-7b", prompt: str = "What is this?") -> Any:
    parts = [{"type": "text", "text": prompt}, {"type": "image_url", "image_url": {"url": url}}]
    return api.post("/chat/completions", {"model": model, "messages": [{"role": "user", "content": parts}]})


def test_an_image_in_the_request_reaches_the_model(closed: Api, fake_ollama: FakeOllama) -> None:
    data = base64.b64encode(png()).decode()
    assert ask(closed, f"data:image/png;base64,{data}", prompt="What is this? [[tag:seen]]").status_code == 200
    assert fake_ollama.last(tag="seen")["body"]["messages"][0]["images"] == [data]


def test_an_image_for_a_model_that_cannot_see_is_400_and_names_the_part(closed: Api) -> None:
    answer = ask(closed, f"data:image/png;base64,{base64.b64encode(png()).decode()}", model="phi-3-mini")
    assert (answer.status_code, answer.get_json()["error"]["param"]) == (400, "messages[0].content[1]")


def test_urls_are_refused_until_the_operator_turns_them_on(closed: Api) -> None:
    answer = ask(closed, "https://example.org/cat.png")
    assert answer.status_code == 400
    assert answer.get_json()["error"]["param"] == "messages[0].content[1].image_url"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "127.1"])
def test_nothing_on_this_machine_is_fetched(opened: Api, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        answer = ask(opened, f"https://{host}:{listener.getsockname()[1]}/cat.png")
        assert answer.status_code == 400
        with pytest.raises(TimeoutError):
            listener.accept()
