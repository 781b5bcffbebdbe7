"""`script/bench`: interleaved rounds over all targets, then medians, ratios, a file and a table."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.support.servers import ROOT

from . import goals, once, overhead, report, streams
from .measure import Row, Scale
from .targets import NGINX, Target, running

FIGURES: dict[str, Callable[[Target, Scale], Row]] = {
    "plain": overhead.plain,
    "alone": overhead.alone,
    "first_piece": streams.first_piece,
    "paced": streams.paced,
    "burst": streams.burst,
    "refusals": overhead.refusals,
    "long_prompt": overhead.long_prompt,
    "embeddings": overhead.embeddings,
    "page": overhead.page,
    "held": streams.held,
}
TARGETS = ("direct", "relay", "nginx", "llmrack")
# `held` compares targets and takes a minute; what LLMRack itself holds is part of `rest`.
DEFAULTS = [*(name for name in FIGURES if name != "held"), *once.FIGURES]
SHORT = Scale(seconds=0.3, held=50, held_s=1.0, pieces=20, paced_s=0.3, many=1000)


def main() -> int:
    options = _options()
    scale = SHORT if options.short else Scale(options.seconds, options.held)
    wanted = options.targets or (("direct", "llmrack") if options.short else TARGETS)
    names = [name for name in (*wanted, *(["loaded"] if options.loaded else [])) if name != "nginx" or NGINX]
    with tempfile.TemporaryDirectory(prefix="llmrack-bench-") as folder:
        with running(names, Path(folder)) as targets:
            _warm(targets)
            figures = [name for name in FIGURES if name in options.figures]
            rounds = [_round(n, targets, figures, scale) for n in range(1 if options.short else options.rounds)]
        apart = [name for name in once.FIGURES if name in options.figures and "llmrack" in names]
        if options.short:
            # Two workers on the machine's databases have tests of their own.
            apart = [name for name in apart if name != "workers"]
        _say("memory, many streams, two workers")
        alone = once.figures(Path(folder), apart, scale)
        _say("")
    found = report.summary(rounds) | {"once": alone}
    print(report.table(found), "\n")
    if not options.short:
        print(goals.table(found), "\n")
        found["goals"] = goals.rows(found)
        saved = report.save(options.label, vars(options), rounds, found, ROOT / "bench" / "results")
        print(saved.relative_to(ROOT))
    return _verdict([*rounds, {"once": alone}])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("--label", default="local", help="goes into the name of the result")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="for each figure of each target in each round")
    parser.add_argument("--held", type=int, default=2000, help="streams held at once")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, help="all; only direct and llmrack when short")
    parser.add_argument("--figures", nargs="+", choices=[*FIGURES, *once.FIGURES], default=DEFAULTS)
    parser.add_argument("--loaded", action="store_true", help="also a database of 5 million rows: two minutes, 3 GB")
    parser.add_argument("--short", action="store_true", help="under 20 s: counts and errors only, writes nothing")
    return parser.parse_args()


def _warm(targets: dict[str, Target]) -> None:
    """Connections opened, caches filled, modules imported, before anything counts."""
    for target in targets.values():
        overhead.plain(target, Scale(seconds=0.3))


def _round(number: int, targets: dict[str, Target], figures: list[str], scale: Scale) -> dict[str, dict[str, Row]]:
    """Every figure of every target, figure by figure, so that neighbours in the table are neighbours in time."""
    rows: dict[str, dict[str, Row]] = {name: {} for name in targets}
    order = list(targets.items())
    for place, figure in enumerate(figures):
        turn = (number + place) % len(order)
        for name, target in order[turn:] + order[:turn]:
            if (figure == "refusals" and not target.checks_keys) or (figure == "page" and not target.is_gateway):
                continue
            _say(f"round {number + 1}: {figure} {name}")
            rows[name][figure] = FIGURES[figure](target, scale)
    _say("")
    return rows


def _say(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{what:<50}\r", end="", file=sys.stderr, flush=True)


def _verdict(rounds: report.Rounds) -> int:
    """1 when any answer of any target was wrong, missing or late beyond patience, or a figure had no answers."""
    bad = []
    for one in rounds:
        for target, rows in one.items():
            for figure, row in rows.items():
                count = row.get("answers", row.get("streams"))
                if row["wrong"] or not count:
                    bad.append(f"{target} {figure}: {row['wrong']} wrong of {count}, {row['errors']}")
                    bad += row["samples"].values()
    print("\n".join(bad), file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
