"""What must hold, what is aimed at, and what was measured: the table of promises about speed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .measure import Row

Look = Callable[[Row], float | None]


@dataclass(frozen=True)
class Goal:
    """One promise. `must` and `aim` are lower bounds where more is better, upper ones elsewhere."""

    what: str
    unit: str
    must: float
    aim: float
    look: Look
    more_is_better: bool = False

    def verdict(self, figure: float | None) -> str:
        if figure is None:
            return "not measured"
        if (figure >= self.aim) if self.more_is_better else (figure <= self.aim):
            return "aim"
        return "must" if ((figure >= self.must) if self.more_is_better else (figure <= self.must)) else "missed"


def _ratio(name: str) -> Look:
    return lambda found: found["ratios"].get("llmrack/nginx", {}).get(name)


def _added(name: str) -> Look:
    """What LLMRack adds to the stand-in's own time, over what nginx adds."""
    return lambda found: found["added_ratios"].get("llmrack/nginx", {}).get(name)


def _median(name: str) -> Look:
    return lambda found: found["medians"].get("llmrack", {}).get(name)


def _once(figure: str, number: str) -> Look:
    return lambda found: found["once"].get(figure, {}).get(number)


def _long_prompt(found: Row) -> float | None:
    own = found["medians"].get("llmrack", {})
    long, short = own.get("long_prompt.cpu_ms"), own.get("plain.cpu_ms")
    return long / short if long and short else None


def _loaded(name: str) -> Look:
    def look(found: Row) -> float | None:
        loaded, fresh = (found["medians"].get(target, {}).get(name) for target in ("loaded", "llmrack"))
        return loaded / fresh if loaded and fresh else None

    return look


GOALS = (
    Goal("plain chat, 32 connections: CPU a request", "x nginx", 22, 11, _ratio("plain.cpu_ms")),
    Goal("latency added at one connection, p50", "x nginx", 17, 8, _added("alone.p50_ms")),
    Goal("first piece added, 10 streams, p50", "x nginx", 5, 2.7, _added("first_piece.first_piece_p50_ms")),
    Goal("pieces per CPU-second, 100 paced streams", "x nginx", 0.28, 0.42, _ratio("paced.pieces_per_cpu_s"), True),
    Goal("the same when pieces come together", "x nginx", 0.2, 0.5, _ratio("burst.pieces_per_cpu_s"), True),
    Goal("refusals a second", "x nginx", 0.03, 0.09, _ratio("refusals.per_s"), True),
    Goal("a 96 KB prompt, CPU", "x a short one", 4, 3, _long_prompt),
    Goal("slow streams held without an error", "streams", 2000, 2000, _once("rest", "streams"), True),
    Goal("memory of one of them", "KB", 25, 15, _once("rest", "kb_per_stream")),
    Goal("docs page beside 100 streams, p50", "x alone", 3, 1.5, _median("page.slower")),
    Goal("memory of master and one worker at rest", "MB", 160, 120, _once("rest", "rest_mb")),
    Goal("two workers, PostgreSQL and Redis: requests a second", "x one", 1.7, 1.9, _once("workers", "speed_up"), True),
    Goal("the same by CPU a request", "x one", 1.7, 1.9, _once("workers", "cpu_speed_up"), True),
    Goal("memory after 100,000 requests", "x after 1,000", 1.05, 1.0, _once("growth", "growth")),
    Goal("CPU a request with 5 million usage rows (--loaded)", "x empty", 1.1, 1.0, _loaded("plain.cpu_ms")),
    Goal("the same at one connection, p50", "x empty", 1.1, 1.0, _loaded("alone.p50_ms")),
)


def rows(found: Row) -> list[Row]:
    """Each goal with its figure and what that is worth, for the file."""
    measured = [(goal, goal.look(found)) for goal in GOALS]
    return [
        {"what": g.what, "unit": g.unit, "must": g.must, "aim": g.aim, "figure": figure, "verdict": g.verdict(figure)}
        for g, figure in measured
    ]


def table(found: Row) -> str:
    """The goals that were measured, as Markdown."""
    cells = [["", "must", "aim", "figure", ""]]
    for row in rows(found):
        if row["figure"] is not None:
            bounds = [f"{row[name]:g} {row['unit']}" for name in ("must", "aim")]
            cells.append([row["what"], *bounds, f"{row['figure']:.2f}", row["verdict"]])
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
