"""What the account used: charts with their tables, the log of requests, receipts, and exports."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from werkzeug.exceptions import NotFound

from llmrack import money
from llmrack.keys import keys
from llmrack.metering import refusals, reports, usage
from llmrack.metering.limits import seconds_to_midnight
from llmrack.metering.outcomes import OUTCOMES
from llmrack.metering.reports import Place, Range
from llmrack.metering.usage import DayUsage, Receipt

from ..account.web_session import viewer
from ..extensions import context
from ..web import csrf, formatting, params
from . import charts, rights
from .export import harmless

bp = Blueprint("usage", __name__)
csrf.protect(bp)

RANGES = (("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days"), ("custom", "Custom"))
LONGEST = 366
MEASURES: dict[str, tuple[str, Callable[[DayUsage], int], Callable[[int], str]]] = {
    "tokens": ("Tokens", lambda row: row.prompt_tokens + row.completion_tokens, formatting.number),
    "requests": ("Requests", lambda row: row.requests, formatting.number),
    "cost": ("Cost", lambda row: row.cost_nanousd, formatting.usd),
}
GROUPS: dict[str, tuple[str, Callable[[DayUsage], str]]] = {
    "model": ("model", lambda row: row.model_id),
    "key": ("key", lambda row: f"{row.key_name} (#{row.key_id})"),
}


bp.before_request(rights.require)


@bp.get("")
def index() -> Any:
    now = datetime.now(UTC)
    wanted, chosen = _wanted(now)
    rows = reports.sums(context.store, wanted, now)
    measure, amount, written = MEASURES[chosen["measure"]]
    group, name = GROUPS[chosen["group"]]
    return render_template(
        "usage/index.html",
        chart=charts.stacked(wanted.slots(now), rows, name, amount),
        measure=measure,
        written=written,
        group=group,
        totals=_totals(rows),
        chosen=chosen,
        ranges=RANGES,
        measures=MEASURES,
        groups=GROUPS,
        models=sorted({model.id for model in context.catalog} | {row.model_id for row in rows}),
        keys=keys.of_account(context.store, wanted.account_id, now),
        resets_in=formatting.duration(seconds_to_midnight(now)),
        link=lambda **changes: url_for("usage.index", **(_query(chosen) | changes)),
        query=_query(chosen),
    )


def _wanted(now: datetime) -> tuple[Range, dict[str, Any]]:
    """What the query asks for; anything that makes no sense falls back to the default."""
    args, today = request.args, now.date()
    span = args.get("range", "30d")
    span = span if span in dict(RANGES) else "30d"
    first, last = _days(span, today)
    mode, model, key_id = (
        "test" if args.get("mode") == "test" else "live",
        args.get("model") or None,
        params.row_id("key"),
    )
    chosen = {
        "range": span,
        "from": (first or today - timedelta(days=1)).isoformat(),
        "to": last.isoformat(),
        "mode": mode,
        "model": model,
        "key": key_id,
        "measure": args["measure"] if args.get("measure") in MEASURES else "tokens",
        "show": "errors" if args.get("show") == "errors" else "all",
        "group": args["group"] if args.get("group") in GROUPS else "model",
    }
    wanted = Range(viewer().account_id, mode, first, last, model, key_id)
    return wanted, chosen


def _days(span: str, today: date) -> tuple[date | None, date]:
    if span == "24h":
        return None, today
    if span == "custom":
        last = min(params.day("to", today), today)
        first = min(params.day("from", last - timedelta(days=29)), last)
        return max(first, last - timedelta(days=LONGEST - 1)), last
    return today - timedelta(days=int(span.removesuffix("d")) - 1), today


def _query(chosen: dict[str, Any]) -> dict[str, Any]:
    """The shortest query that leads to the same page."""
    usual = {"range": "30d", "mode": "live", "measure": "tokens", "group": "model", "show": "all"}
    is_custom = chosen["range"] == "custom"
    return {
        name: value
        for name, value in chosen.items()
        if value is not None and usual.get(name) != value and (is_custom or name not in ("from", "to"))
    }


def _totals(rows: list[DayUsage]) -> dict[str, int]:
    return {
        "requests": sum(row.requests for row in rows),
        "prompt_tokens": sum(row.prompt_tokens for row in rows),
        "completion_tokens": sum(row.completion_tokens for row in rows),
        "cost_nanousd": sum(row.cost_nanousd for row in rows),
    }


@bp.get("/requests")
def log() -> Any:
    now = datetime.now(UTC)
    wanted, chosen = _wanted(now)
    # What this worker has noted is shown at once; what others have, after the next beat of their sweepers.
    context.refusals.flush(context.store)
    found = reports.log(
        context.store, wanted, now, _before(), reports.PAGE + 1, is_of_errors=chosen["show"] == "errors"
    )
    shown, query = found[: reports.PAGE], _query(chosen)
    older = None
    if len(found) > reports.PAGE:
        last = shown[-1]
        older = url_for(".log", **query, before=f"{last.created_at.isoformat()}~{last.request_id}")
    return render_template(
        "usage/requests.html",
        requests=shown,
        unlisted=0 if wanted.model_id else reports.unlisted_refusals(context.store, wanted, now),
        listed_per_hour=refusals.LISTED_PER_HOUR,
        kept_days=refusals.KEPT_DAYS,
        older=older,
        newest=url_for(".log", **query) if request.args.get("before") else None,
        chosen=chosen,
        ranges=RANGES,
        models=sorted({model.id for model in context.catalog}),
        keys=keys.of_account(context.store, wanted.account_id, now),
        query=query,
    )


def _before() -> Place | None:
    at, _, request_id = request.args.get("before", "").partition("~")
    place = params.moment(at)
    return Place(place, request_id) if place else None


@bp.get("/requests/<request_id>")
def receipt(request_id: str) -> Any:
    for mode in ("live", "test"):
        found = usage.receipt(context.store, viewer().account_id, mode, request_id)
        if found is not None:
            return render_template("usage/receipt.html", row=found, outcome=OUTCOMES.get(found.outcome or ""))
    raise NotFound


COLUMNS = (
    "request_id", "created_at", "mode", "key_id", "key_name", "model", "endpoint", "stream", "outcome",
    "prompt_tokens", "completion_tokens", "charged_prompt_tokens", "charged_completion_tokens", "cost_usd",
    "first_token_ms", "total_ms",
)  # fmt: skip


@bp.get("/export.csv")
def export_csv() -> Response:
    return _download("csv", "text/csv", _csv())


@bp.get("/export.json")
def export_json() -> Response:
    return _download("json", "application/json", _json())


def _download(ending: str, mimetype: str, pieces: Iterator[str]) -> Response:
    response = Response(pieces, mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="llmrack-requests.{ending}"'
    return response


def _rows() -> Iterator[dict[str, Any]]:
    """Reads the store as the answer is sent, so everything that belongs to the request is taken before."""
    now = datetime.now(UTC)
    wanted, _ = _wanted(now)
    store = context._get_current_object().store  # type: ignore[attr-defined]
    return (_exported(row) for row in reports.every_request(store, wanted, now))


def _exported(row: Receipt) -> dict[str, Any]:
    values = (
        row.request_id, row.created_at.isoformat(), row.mode, row.key_id, row.key_name, row.model_id, row.endpoint,
        row.is_stream, row.outcome or "open", row.prompt_tokens, row.completion_tokens, row.counted_prompt_tokens,
        row.counted_completion_tokens, f"{money.usd(row.cost_nanousd):f}",
        row.first_token_ns // 1_000_000, row.total_ns // 1_000_000,
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def _csv() -> Iterator[str]:
    rows = _rows()

    def pieces() -> Iterator[str]:
        yield ",".join(COLUMNS) + "\r\n"
        for row in rows:
            line = io.StringIO()
            csv.writer(line).writerow(harmless(value) for value in row.values())
            yield line.getvalue()

    return pieces()


def _json() -> Iterator[str]:
    rows = _rows()

    def pieces() -> Iterator[str]:
        separator = "["
        for row in rows:
            yield separator + "\n" + json.dumps(row)
            separator = ","
        yield ("[]" if separator == "[" else "\n]") + "\n"

    return pieces()
