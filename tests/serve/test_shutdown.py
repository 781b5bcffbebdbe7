"""What becomes of open streams when the server is told to stop or to reload."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import Client
from tests.support.fake_ollama import FakeOllama

from .conftest import start_rig


def ended(client: Client) -> list[Any]:
    with client:
        return client.answer().events()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["TERM", "HUP"])
def test_short_streams_finish_and_long_ones_are_told_why_they_end(
    tmp_path: Path, fake_ollama: FakeOllama, number: signal.Signals
) -> None:
    rig = start_rig(tmp_path, fake_ollama, graceful_timeout_s=7)
    with rig.server:
        short = [rig.chat("Count from 1 to 5 [[pace:0.05]]") for _ in range(5)]
        long = [rig.chat("hi [[fault:never_ends]] [[pace:0.1]]") for _ in range(5)]
        for client in (*short, *long):
            client.read_until(b"data: ")
        rig.server.signal(number)
        assert [ended(client)[-1] for client in short] == ["[DONE]"] * 5
        for client in long:
            last, alone = ended(client)[-2:]
            assert alone == {"error": last["error"]}
            assert (last["choices"][0]["finish_reason"], last["error"]["code"]) == ("error", "server_shutdown")
        if number == signal.SIGHUP:
            assert rig.answer("hi").status == 200
