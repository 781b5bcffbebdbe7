"""How amounts, times and charts are written."""

from datetime import UTC, datetime, timedelta

import pytest

from blueprints.dashboard import charts
from blueprints.web import formatting
from llmrack.metering.usage import DayUsage

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("nanousd", "text"),
    [
        (0, "$0.00"),
        (15 * 10**9, "$15.00"),
        (1_234_567_891_234, "$1,234.57"),
        (500_000_000, "$0.50"),
        (72_912_345, "$0.0729"),
        (440_000, "$0.0004"),
        (76_000, "$0.000076"),
        (40, "$0.000000040"),
        (-2_500_000_000, "-$2.50"),
    ],
)
def test_dollars_show_as_much_as_matters(nanousd: int, text: str) -> None:
    assert formatting.usd(nanousd) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(seconds=50), "50 seconds ago"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=3), "3 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=35), "35 days ago"),
        (timedelta(days=400), "2025-10-18"),
        (-timedelta(days=60), "2027-01-21"),
        (-timedelta(days=9), "in 9 days"),
    ],
)
def test_times_are_near_or_exact(ago: timedelta, text: str) -> None:
    element = str(formatting.when(NOW - ago, now=NOW))
    assert element.endswith(f">{text}</time>")
    assert formatting.exact(NOW - ago) in element


def test_a_time_that_never_came_is_a_word() -> None:
    assert formatting.when(None) == "never"


@pytest.mark.parametrize(
    ("agent", "text"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/143.0 Safari/537.36 Edg/143.0", "Edge on Windows"),
        ("curl/8.5.0", "curl"),
        ("", "Unknown browser"),
        ("<script>", "script"),
    ],
)
def test_a_browser_is_two_words(agent: str, text: str) -> None:
    assert formatting.browser(agent) == text


def rows(*amounts: tuple[str, str, int]) -> list[DayUsage]:
    return [DayUsage(day, model, 1, "k", 1, amount, 0, 0) for day, model, amount in amounts]


def chart(found: list[DayUsage]) -> charts.Chart:
    slots = ["2026-11-20", "2026-11-21"]
    return charts.stacked(slots, found, lambda row: row.model_id, lambda row: row.prompt_tokens)


def test_bars_stack_to_the_sum_of_their_day() -> None:
    drawn = chart(rows(("2026-11-20", "a", 30), ("2026-11-20", "b", 70), ("2026-11-21", "a", 50)))
    assert drawn.series == ("a", "b")
    assert drawn.totals == (80, 70)
    assert drawn.ticks == (100, 50, 0)
    first, second = drawn.bars
    assert (first.total, second.total, drawn.total) == (100, 50, 150)
    assert sum(part.height for part in first.parts) == pytest.approx(100)
    assert [part.y for part in second.parts] == [50]


def test_the_smallest_series_share_one_colour() -> None:
    drawn = chart(rows(*(("2026-11-20", f"m{number}", 10 + number) for number in range(9))))
    assert drawn.series == ("m8", "m7", "m6", "m5", "m4", "others")
    assert drawn.totals[-1] == 10 + 11 + 12 + 13
    assert drawn.total == sum(10 + number for number in range(9))


def test_an_empty_chart_has_an_axis() -> None:
    drawn = chart([])
    assert drawn.ticks == (2, 1, 0)
    assert [bar.parts for bar in drawn.bars] == [(), ()]
