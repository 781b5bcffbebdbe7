"""Ollama's own client in front of gunicorn while the model is slow, breaks off, or nobody waits for it any more."""

from __future__ import annotations

from collections.abc import Iterator

import ollama
import pytest
from ollama import Client

from tests.serve.conftest import Rig


@pytest.fixture
def local(rig: Rig) -> Iterator[Client]:
    with Client(host=rig.server.url, headers={"Authorization": f"Bearer {rig.live}"}, timeout=20) as client:
        yield client


@pytest.mark.parametrize("path", ["chat", "generate"])
def test_a_silent_model_is_bridged_by_pieces_without_text(local: Client, path: str) -> None:
    prompt = "[[first:1.5]] Reply with the single word PONG"
    if path == "chat":
        said = [
            part.message.content for part in local.chat("phi3:mini", [{"role": "user", "content": prompt}], stream=True)
        ]
    else:
        said = [part.response for part in local.generate("phi3:mini", prompt, stream=True)]
    assert said[:2] == ["", ""]
    assert "".join(text or "" for text in said).startswith("PONG")


def test_a_stream_that_breaks_raises_its_sentence(local: Client) -> None:
    parts = iter(local.generate("phi3:mini", "Count from 1 to 5 [[fault:rst_at_chunk:3]]", stream=True))
    assert next(parts).response
    with pytest.raises(ollama.ResponseError) as raised:
        list(parts)
    assert "Retry is safe" in raised.value.error


def test_a_client_that_leaves_frees_the_model(local: Client, rig: Rig) -> None:
    prompt = "[[tag:left-ollama]][[tokens:5000]][[pace:0.02]] go on"
    parts = local.chat("phi3:mini", [{"role": "user", "content": prompt}], stream=True)
    assert not next(iter(parts)).done
    parts.close()  # type: ignore[attr-defined] # it is a generator
    rig.ollama.wait_for("left-ollama", outcome="client_left")
