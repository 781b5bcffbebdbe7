"""From rounds of raw figures to medians, ratios, a file and a table."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from tests.support.servers import ROOT

from .measure import Row
from .targets import NGINX

# figure, number, heading, decimals, whether more is better; the ones that get ratios and a column
COLUMNS = (
    ("plain", "per_s", "req/s, 32 clients", 0, True),
    ("plain", "cpu_ms", "CPU ms a request", 3, False),
    ("alone", "p50_ms", "p50 ms, 1 client", 2, False),
    ("first_piece", "first_piece_p50_ms", "first piece p50 ms", 2, False),
    ("paced", "pieces_per_cpu_s", "pieces per CPU-s, paced", 0, True),
    ("burst", "pieces_per_cpu_s", "pieces per CPU-s, at once", 0, True),
    ("burst", "cpu_ms", "CPU ms a burst stream", 2, False),
    ("refusals", "per_s", "401s/s", 0, True),
    ("long_prompt", "cpu_ms", "CPU ms, 96 KB prompt", 3, False),
    ("embeddings", "cpu_ms", "CPU ms, 8 embeddings", 3, False),
    ("page", "alone_p50_ms", "docs page p50 ms, alone", 2, False),
    ("page", "beside_p50_ms", "docs page p50 ms, beside 100 streams", 2, False),
    ("page", "slower", "docs page, beside over alone", 2, False),
    ("held", "streams", "streams held", 0, True),
    ("held", "kb_per_stream", "KB a held stream", 1, False),
    ("held", "first_piece_p99_ms", "first piece p99 ms, held", 0, False),
)
# Times that only mean something as the difference from asking the upstream without a gateway.
ADDED = (("alone", "p50_ms"), ("first_piece", "first_piece_p50_ms"), ("held", "first_piece_p99_ms"))

Rounds = list[dict[str, dict[str, Row]]]


def summary(rounds: Rounds) -> Row:
    """Medians over the rounds, what each target adds to `direct`, and each target's ratios to nginx and the relay.

    Differences and ratios are taken inside a round, where the machine was in one mood, and only then is their median.
    """
    targets = list(rounds[0])
    return {
        "medians": {
            t: {_name(f, n): _median(_value(r, t, f, n) for r in rounds) for f, n, *_ in COLUMNS} for t in targets
        },
        "added_ms": {
            t: {_name(f, n): _median(_difference(r, t, f, n) for r in rounds) for f, n in ADDED}
            for t in targets
            if t != "direct"
        },
        "ratios": {
            f"{t}/{base}": {_name(f, n): _median(_ratio(r, t, base, f, n) for r in rounds) for f, n, *_ in COLUMNS}
            for base in ("nginx", "relay")
            for t in targets
            if base in targets and t not in ("direct", base)
        },
        "added_ratios": {
            "llmrack/nginx": {_name(f, n): _median(_added_ratio(r, f, n) for r in rounds) for f, n in ADDED}
        },
        "wrong": {t: sum(row["wrong"] for r in rounds for row in r[t].values()) for t in targets},
    }


def _value(one: dict[str, dict[str, Row]], target: str, figure: str, number: str) -> float | None:
    return one.get(target, {}).get(figure, {}).get(number)


def _difference(one: dict[str, dict[str, Row]], target: str, figure: str, number: str) -> float | None:
    here, there = _value(one, target, figure, number), _value(one, "direct", figure, number)
    return None if here is None or there is None else here - there


def _ratio(one: dict[str, dict[str, Row]], target: str, base: str, figure: str, number: str) -> float | None:
    here, there = _value(one, target, figure, number), _value(one, base, figure, number)
    return None if here is None or not there else here / there


def _added_ratio(one: dict[str, dict[str, Row]], figure: str, number: str) -> float | None:
    ours, theirs = (_difference(one, target, figure, number) for target in ("llmrack", "nginx"))
    return None if ours is None or theirs is None or theirs <= 0 else ours / theirs


def _median(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return round(median(known), 4) if known else None


def _name(figure: str, number: str) -> str:
    return f"{figure}.{number}"


def table(found: Row) -> str:
    """The medians as Markdown, one line a figure; times with what was added, ratios to nginx where there is one."""
    targets = list(found["medians"])
    compared = next((name for name in ("llmrack/nginx", "llmrack/relay") if name in found["ratios"]), "ratio")
    ratios = found["ratios"].get(compared, {})
    rows = [["", *targets, compared]]
    for figure, number, heading, decimals, more_is_better in COLUMNS:
        name = _name(figure, number)
        if all(found["medians"][t][name] is None for t in targets):
            continue
        cells = [_cell(found["medians"][t][name], decimals) for t in targets]
        if (figure, number) in ADDED:
            cells = [
                _with_added(c, found["added_ms"].get(t, {}).get(name)) for c, t in zip(cells, targets, strict=True)
            ]
        ratio = None if (figure, number) in ADDED else ratios.get(name)
        arrow = "more is better" if more_is_better else "less is better"
        rows.append([f"{heading} ({arrow})", *cells, "-" if ratio is None else f"{ratio:.2f}"])
    rows.append(["wrong or missing answers", *(str(found["wrong"][t]) for t in targets), "-"])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _cell(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:,.{decimals}f}"


def _with_added(cell: str, added: float | None) -> str:
    return cell if added is None else f"{cell} (+{added:.2f})"


def save(label: str, options: Row, rounds: Rounds, found: Row, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{time.strftime('%Y-%m-%d')}-{re.sub(r'[^A-Za-z0-9._-]', '-', label)}.json"
    head = {"label": label, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "commit": _commit()}
    whole = head | {"machine": machine(), "versions": versions(), "options": options} | found | {"rounds": rounds}
    path.write_text(json.dumps(whole, indent=1) + "\n")
    return path


def machine() -> Row:
    """What was measured on; no host name."""
    cpus = re.findall(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"MemTotal:\s*(\d+)", _read("/proc/meminfo"))
    return {
        "cpu": cpus[0] if cpus else platform.processor(),
        "cores": len(cpus) or None,
        "memory_gb": round(int(memory[1]) / 1e6, 1) if memory else None,
        "system": f"{platform.system()} {platform.release()}",
        "load_before": _read("/proc/loadavg").split()[:3],
    }


def versions() -> Row:
    names = ("flask", "gunicorn", "gevent", "msgspec", "sqlalchemy", "requests")
    found: Row = {"python": platform.python_version()} | {name: version(name) for name in names}
    if NGINX:
        found["nginx"] = subprocess.run([NGINX, "-v"], capture_output=True, text=True).stderr.strip().rpartition("/")[2]
    return found


def _commit() -> str | None:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or None


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
