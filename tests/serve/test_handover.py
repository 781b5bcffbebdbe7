"""A server that reloads or loses a worker goes on answering, and a reload that cannot work changes nothing."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.experiments import handovers
from tests.experiments.rig import bench
from tests.support.fake_ollama import FakeOllama
from tests.support.servers import ROOT, Running, start_app

from .conftest import start_rig

# What a new request may wait while a worker is replaced. The only worker has to start when it was killed.
HANDOVER_S = 1.0
START_S = 4.0


@pytest.mark.parametrize("workers", [1, 2])
def test_no_new_request_waits_for_a_reload_while_streams_end(workers: int) -> None:
    with bench(workers, graceful_timeout_s=9) as rig:
        figures = handovers.replace(rig, how="HUP", watch_s=6)
    assert figures["failed"] == 0
    assert max(figures["longest wait in seconds"]) < HANDOVER_S, figures


@pytest.mark.parametrize(("workers", "longest_s"), [(1, START_S), (2, HANDOVER_S)])
def test_new_requests_are_answered_when_a_worker_is_killed(workers: int, longest_s: float) -> None:
    with bench(workers, graceful_timeout_s=9) as rig:
        figures = handovers.replace(rig, how="kill", watch_s=4)
    # One may have been in the hands of the worker that died.
    assert figures["failed"] <= 1
    assert max(figures["longest wait in seconds"]) < longest_s, figures


def test_a_worker_that_dies_while_the_old_one_ends_its_streams_is_replaced(
    tmp_path: Path, fake_ollama: FakeOllama
) -> None:
    rig = start_rig(tmp_path, fake_ollama, graceful_timeout_s=30)
    with rig.server as server, rig.chat("hi [[fault:never_ends]] [[pace:0.1]]") as client:
        client.read_until(b"data: ")
        (old,) = server.worker_pids()
        server.signal(signal.SIGHUP)
        wait(lambda: not listens(server, old), server)
        (new,) = set(server.worker_pids()) - {old}
        os.kill(new, signal.SIGKILL)
        started = time.monotonic()
        assert rig.answer("hi").status == 200
        assert time.monotonic() - started < START_S
        assert old in server.worker_pids()
        client.read_until(b"data: ", 3)


def test_an_application_that_cannot_start_leaves_the_old_worker_in_place(
    tmp_path: Path, fake_ollama: FakeOllama
) -> None:
    rig = start_rig(tmp_path, fake_ollama)
    with rig.server as server:
        (old,) = server.worker_pids()
        (tmp_path / "instance" / "plans.toml").write_text("[plans.free]\nprice = 3\n", encoding="utf-8")
        server.signal(signal.SIGHUP)
        wait(lambda: "The old workers go on" in server.logs(), server)
        assert "plans.toml, line 2" in server.logs()
        assert server.worker_pids() == [old]
        assert rig.answer("hi").status == 200


def test_settings_that_are_refused_leave_the_old_worker_in_place(tmp_path: Path) -> None:
    """The configuration that is shipped, with an environment that changes between start and reload."""
    config, wrong = tmp_path / "gunicorn.conf.py", tmp_path / "wrong"
    shipped = ROOT / "gunicorn.conf.py"
    config.write_text(
        f"import os\nif os.path.exists({str(wrong)!r}):\n    os.environ['LLMRACK_PING_INTERVAL_S'] = '0'\n"
        f"__file__ = {str(shipped)!r}\nexec(compile(open(__file__).read(), __file__, 'exec'))\n",
        encoding="utf-8",
    )
    with start_app(tmp_path, "http://127.0.0.1:9", config=config) as server:
        (old,) = server.worker_pids()
        wrong.touch()
        server.signal(signal.SIGHUP)
        wait(lambda: "the server goes on as it was" in server.logs(), server)
        assert "LLMRACK_PING_INTERVAL_S='0' is not valid" in server.logs()
        assert server.worker_pids() == [old]
        wrong.unlink()


def listens(server: Running, pid: int) -> bool:
    """Whether the worker has the server's listening socket open."""
    return any(row.status == psutil.CONN_LISTEN for row in psutil.Process(pid).net_connections("tcp"))


def wait(is_so: Callable[[], bool], server: Running) -> None:
    deadline = time.monotonic() + 15
    while not is_so():
        assert time.monotonic() < deadline, server.logs()
        time.sleep(0.05)
