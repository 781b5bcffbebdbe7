"""Figures of several processes, and the files that name them."""

from __future__ import annotations

import os
import re

from llmrack.monitoring import exposition, rows
from llmrack.monitoring.figures import Arena, Figures
from tests.support.servers import ROOT


def test_the_counts_of_a_process_that_has_ended_stay_and_its_gauges_go() -> None:
    arena = Arena(2)
    number = arena.take()
    child = os.fork()
    if not child:
        figures = Figures(["m"])
        figures.share(arena, number)
        figures.count(rows.TOKENS, ("m", "prompt"), 7)
        figures.observe(rows.FIRST_TOKEN, ("m",), 0.3)
        os._exit(0)
    os.waitpid(child, 0)
    mine = Figures(["m"])
    mine.share(arena, arena.take())
    mine.count(rows.TOKENS, ("m", "prompt"), 5)
    before = exposition.text(mine.series()).decode()
    assert "llmrack_workers 2.0" in before
    arena.retire(number)
    after = exposition.text(mine.series()).decode()
    assert "llmrack_workers 1.0" in after
    assert 'llmrack_tokens_total{kind="prompt",model="m"} 12.0' in after
    assert 'llmrack_time_to_first_token_seconds_bucket{le="0.5",model="m"} 1.0' in after
    assert 'llmrack_time_to_first_token_seconds_bucket{le="0.25",model="m"} 0.0' in after
    assert before.replace("workers 2.0", "workers 1.0") == after


def test_a_model_that_the_catalogue_does_not_have_is_other() -> None:
    assert [Figures(["m"]).model(name) for name in ("m", "gone")] == ["m", "other"]


def test_every_metric_in_the_alerts_is_a_row() -> None:
    known = {name for row in rows.METRICS for name in rows.exposed(row)}
    text = (ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\bllmrack_\w+", text)) <= known
