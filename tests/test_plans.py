"""Plans, permissions and money: the shipped facts, and that wrong ones stop the start with file and line."""

from decimal import Decimal
from pathlib import Path

import pytest

from llmrack import money, plans
from llmrack.plans import BadPlans


def test_shipped_plans_are_the_published_ones() -> None:
    rows = [
        (p.id, p.requests_per_minute, p.tokens_per_day, p.tokens_per_minute, p.usd_per_month, p.is_prepaid)
        for p in plans.load()
    ]
    assert rows == [
        ("free", 10, 10_000, None, 0, False),
        ("pro", 100, 550_000, None, 15, False),
        ("business", 500, 5_000_000, None, 65, False),
        ("payg", 60, None, 100_000, 0, True),
    ]
    assert {p.concurrent_requests for p in plans.load()} == {10}
    assert {(p.test_requests_per_minute, p.test_concurrent_requests) for p in plans.load()} == {(600, 100)}
    assert plans.load().default.id == "free"


def test_an_operator_overrides_and_adds_plans(tmp_path: Path) -> None:
    path = tmp_path / "plans.toml"
    path.write_text(
        '[plans.pro]\nusd_per_month = "12.50"\n\n[plans.team]\nname = "Team"\nfor_whom = "Teams"\n'
        'requests_per_minute = 7\nconcurrent_requests = 2\nusd_per_month = "1"\n'
    )
    loaded = plans.load(path)
    assert loaded.get("pro").usd_per_month == Decimal("12.5")
    assert loaded.get("pro").tokens_per_day == 550_000
    assert loaded.ids == ("free", "pro", "business", "payg", "team")
    assert loaded.get("team").tokens_per_day is None


WRONG = [
    ('[plans.pro]\nusd_per_month = 15', "line 2: usd_per_month of plan pro must be dollars as text"),
    ('[plans.pro]\ntokens_per_day = "many"', "line 2: tokens_per_day of plan pro must be of type int"),
    ("[plans.pro]\ntokens_per_day = 0", "line 2: tokens_per_day of plan pro must be at least 1, or left out"),
    ("[plans.pro]\n\nrequests_per_minute = 0", "line 3: requests_per_minute of plan pro must be at least 1"),
    ("[plans.pro]\ntest_requests_per_minute = 0", "line 2: test_requests_per_minute of plan pro must be at least 1"),
    ("[plans.pro]\ntest_concurrent_requests = 0", "line 2: test_concurrent_requests of plan pro must be at least 1"),
    ("[plans.pro]\ncolour = 1", "line 2: plan pro has an unknown key colour"),
    ("[plans.pro]\nis_default = true", "line 2: exactly one plan must have is_default = true, and 2 have"),
    ("[plans.free]\nis_default = false", "exactly one plan must have is_default = true, and 0 have"),
    ('\n[plans.team]\nname = "Team"', "line 2: plan team has no for_whom"),
    ('[plans."Team A"]\nname = "Team"', "line 1: plan Team A has no for_whom"),
    ("[plans.pro\n", "plans.toml: "),
    ("[plans]\npro = 1", "plans.toml: plans.pro must be a table"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_wrong_plans_name_the_file_and_the_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "plans.toml"
    path.write_text(text)
    with pytest.raises(BadPlans) as caught:
        plans.load(path)
    assert said in str(caught.value)


def test_money_is_exact_integers() -> None:
    assert money.nanousd_per_token("0.04") == 40
    assert money.nanousd("15") == 15 * 10**9
    assert money.usd(40) == Decimal("0.00000004")
    for wrong in ("0.0001", "-1", "x", "NaN", "inf", 1, None):
        with pytest.raises(ValueError, match="must be dollars as text"):
            money.nanousd_per_token(wrong)


def test_a_plan_of_the_operator_is_public_only_when_it_says_so(tmp_path: Path) -> None:
    path = tmp_path / "plans.toml"
    staff = '[plans.staff]\nname = "Staff"\nfor_whom = "Us"\nrequests_per_minute = 1000\nconcurrent_requests = 10\n'
    path.write_text(f'{staff}usd_per_month = "0"\n', encoding="utf-8")
    loaded = plans.load(path)
    assert loaded.get("staff") is not None
    assert [plan.id for plan in loaded.public] == ["free", "pro", "business", "payg"]
    path.write_text(f'{staff}usd_per_month = "0"\nis_public = true\n', encoding="utf-8")
    assert [plan.id for plan in plans.load(path).public] == ["free", "pro", "business", "payg", "staff"]
