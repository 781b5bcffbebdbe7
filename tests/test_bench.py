"""The bench still runs and every answer it gets is right; what it measured is nobody's business here."""

import subprocess
import sys

from tests.support.servers import ROOT


def test_the_short_bench_gets_only_right_answers() -> None:
    done = subprocess.run([sys.executable, "-m", "bench", "--short"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wrong or missing answers" in done.stdout
