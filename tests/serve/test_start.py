"""`script/server` as a newcomer runs it: what it prints can be pasted, and starting again is quick."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.fake_ollama import FakeOllama
from tests.support.programs import need
from tests.support.servers import ROOT, environment

# Three seconds on a quiet machine; the tests of a busy one must not fail for that.
SECOND_START_S = 12


@contextmanager
def script_server(tmp_path: Path, ollama_url: str) -> Iterator[tuple[str, float]]:
    """What a start printed until the site answered, and the seconds that took."""
    settings = environment(tmp_path, ollama_url)
    # As after a fresh clone: nothing about a database is set.
    del settings["LLMRACK_DATABASE_URL"]
    log = tmp_path / "start.log"
    started = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(["script/server"], cwd=ROOT, env=settings, stdout=out, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{settings['LLMRACK_PORT']}/healthz"
        while subprocess.run([need("curl"), "-sf", url], capture_output=True).returncode:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() - started < 60, log.read_text()
            time.sleep(0.05)
        yield log.read_text(), time.monotonic() - started
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def test_the_first_start_prints_a_request_that_works_as_pasted(tmp_path: Path, fake_ollama: FakeOllama) -> None:
    with script_server(tmp_path, fake_ollama.url) as (said, _):
        assert re.search(r"LLMRack: http://127\.0\.0\.1:\d+", said)
        assert re.search(rf"Ollama \S+ answers at {fake_ollama.url}", said)
        assert re.search(r"phi-3-mini +ready", said)
        command = re.search(r"^  curl .*?\}'$", said, re.MULTILINE | re.DOTALL)
        assert command is not None, said
        done = subprocess.run(
            ["bash", "-c", command[0].replace("curl ", "curl -s ", 1)], capture_output=True, text=True
        )
        answer = json.loads(done.stdout)
        assert answer["choices"][0]["finish_reason"] == "stop"


def test_the_second_start_is_quick_and_makes_no_second_key(tmp_path: Path) -> None:
    with script_server(tmp_path, "http://127.0.0.1:9") as (said, _):
        assert said.count("LLMRACK_API_KEY=rl_test_") == 1
        assert "No Ollama answers at http://127.0.0.1:9" in said
    with script_server(tmp_path, "http://127.0.0.1:9") as (said, seconds):
        assert "rl_test_" not in said
        assert "More keys: .venv/bin/flask keys create --name NAME --mode live (or test)" in said
        print(f"second start: {seconds:.1f} s")
        assert seconds < SECOND_START_S
