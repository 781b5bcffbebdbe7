"""The scheduler under described crowds, and the command that plays them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.pool import pool
from llmrack.pool import simulation
from llmrack.pool.simulation import BadScenario, CallerGroup, HostGroup, Scenario
from llmrack.settings import ROOT

DOCUMENTED = ROOT / "docs_content" / "files" / "scenario.toml"


def test_users_beside_an_account_with_forty_requests_wait_below_three_seconds_at_the_same_throughput() -> None:
    scenario = simulation.read(DOCUMENTED)
    fair, line = simulation.play(scenario), simulation.play(scenario, is_fair=False)
    users, others = fair.callers[1], line.callers[1]
    assert users.quantile_s(0.5) < 3
    assert users.quantile_s(0.99) < 20
    assert others.quantile_s(0.5) > 20
    assert fair.answers_per_minute > 0.95 * line.answers_per_minute


@pytest.mark.parametrize(("share", "loads_per_hour", "longest_s"), [(0.6, 50, 100), (0.8, 75, 200)])
def test_five_models_on_eight_machines_that_hold_one_are_all_served_without_endless_loads(
    share: float, loads_per_hour: float, longest_s: float
) -> None:
    """Each model is as busy as one machine: without a rule for further replicas it was 350 loads an hour."""
    models = [f"m{number}" for number in range(5)]
    # A request of 300 tokens each way takes 10.3 s of a slot.
    rate = share * 8 * 60 / 10.3 / 50
    callers = {
        model: CallerGroup(model=model, count=10, requests_per_minute=rate, prompt_tokens=300) for model in models
    }
    hosts = {"machine": HostGroup(models=models, count=8, parallel=1, max_loaded=1)}
    outcome = simulation.play(Scenario(hosts=hosts, callers=callers, minutes=240))
    assert outcome.loads_per_hour <= loads_per_hour
    assert max(waits.quantile_s(0.99) for waits in outcome.callers) < longest_s * 1.2
    requests = sum(waits.requests for waits in outcome.callers)
    assert sum(waits.refused + waits.timed_out for waits in outcome.callers) < 0.005 * requests


def test_the_same_scenario_gives_the_same_figures() -> None:
    scenario = simulation.read(DOCUMENTED)
    assert simulation.play(scenario) == simulation.play(scenario)


def test_the_command_prints_each_group_and_what_the_machines_do() -> None:
    done = CliRunner().invoke(pool, ["simulate", str(DOCUMENTED)])
    assert done.exit_code == 0
    assert "20 users" in done.output
    assert "8 slots, 99% busy" in done.output


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("minutes = 1", "missing required field `hosts`"),
        ("[hosts.h]\nmodels = []\n[callers.a]\nmodel = 'x'\nat_once = 1", "hosts"),
        (
            "[hosts.h]\nmodels = ['x']\nspeed = 1\n[callers.a]\nmodel = 'x'\nat_once = 1",
            "unknown field `speed`",
        ),
        ("[hosts.h]\nmodels = ['x']\n[callers.a]\nmodel = 'y'\nat_once = 1", "no host has the model y"),
        ("[hosts.h]\nmodels = ['x']\n[callers.a]\nmodel = 'x'", "either requests_per_minute or at_once"),
        ("[hosts", "scenario.toml"),
    ],
)
def test_a_wrong_scenario_is_one_sentence(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadScenario, match=complaint):
        simulation.read(path)
    done = CliRunner().invoke(pool, ["simulate", str(tmp_path / "none.toml")])
    assert (done.exit_code, "Traceback" in done.output) == (1, False)
