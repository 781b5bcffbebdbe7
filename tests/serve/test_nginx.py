"""Behind nginx with the configuration we ship: streams flow, silence is bridged, and departures get through."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.support.clients import Client
from tests.support.fake_ollama import FakeOllama
from tests.support.programs import need
from tests.support.servers import ROOT, free_port

from .conftest import Rig, start_rig

WRAPPER = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {shipped}
}}
"""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory, fake_ollama: FakeOllama) -> Iterator[Rig]:
    rig = start_rig(tmp_path_factory.mktemp("behind"), fake_ollama, trusted_proxies=1)
    with rig.server:
        yield rig


@pytest.fixture(scope="module")
def nginx_url(tmp_path_factory: pytest.TempPathFactory, rig: Rig) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    shipped = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    shipped = shipped.replace("127.0.0.1:8000", f"127.0.0.1:{rig.server.address[1]}")
    shipped = re.sub(r"listen 80;", f"listen 127.0.0.1:{port};", shipped)
    config = folder / "nginx.conf"
    config.write_text(WRAPPER.format(folder=folder, shipped=shipped), encoding="utf-8")
    process = subprocess.Popen([need("nginx"), "-c", config, "-p", folder, "-e", folder / "error.log"])
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)


def test_a_silent_model_is_bridged_from_the_first_second_on(rig: Rig, nginx_url: str) -> None:
    with Client(nginx_url) as client:
        started = time.monotonic()
        client.ask("/v1/chat/completions", rig.body("Count from 1 to 5 [[first:2]]"), rig.live)
        client.read_until(b": ping")
        assert time.monotonic() - started < 1
        assert client.answer().events()[-1] == "[DONE]"


def test_pieces_are_not_held_back(rig: Rig, nginx_url: str) -> None:
    with Client(nginx_url) as client:
        client.ask("/v1/chat/completions", rig.body("Count from 1 to 5 [[pace:0.1]]"), rig.live)
        client.read_until(b"data: ")
        first = time.monotonic()
        client.read_until(b"[DONE]")
        assert time.monotonic() - first > 0.5


@pytest.mark.parametrize("script", ["[[first:20]]", "[[pace:0.2]]"], ids=["silent", "streaming"])
def test_when_the_client_leaves_the_model_is_stopped(rig: Rig, nginx_url: str, script: str) -> None:
    tag = f"nginx-{script[2:7]}".replace(":", "")
    with Client(nginx_url) as client:
        client.ask("/v1/chat/completions", rig.body(f"Count from 1 to 50 {script} [[tag:{tag}]]"), rig.live)
        rig.ollama.wait_for(tag)
        time.sleep(0.5)
        left_at = client.leave()
    record = rig.ollama.wait_for(tag, outcome="client_left")
    assert record["client_left_at"] - left_at < 2


def test_a_long_prompt_passes_in_one_piece(rig: Rig, nginx_url: str) -> None:
    with Client(nginx_url) as client:
        body = rig.body("word " * 12_000, model="qwen-2.5-7b", stream=False)
        client.ask("/v1/chat/completions", body, rig.live)
        assert client.answer().status == 200
